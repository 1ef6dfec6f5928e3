#include "state/codec.hpp"

#include "state/fields.hpp"
#include "state/kinds.hpp"

namespace brume::state {
namespace {

template <class R>
Result<std::shared_ptr<const void>> decode_record(std::string_view json) {
  auto record = std::make_shared<R>();
  const auto failure = with_json_object(
      json, [](void* context, FieldReader& reader) { read_object(reader, *static_cast<R*>(context)); }, record.get());
  if (!failure.empty()) return brume::fail(ErrorKind::broken, failure);
  return std::shared_ptr<const void>(std::move(record));
}

}  // namespace

std::string encode(Kind kind, const void* record) {
  std::string out;
  with_record_type(kind, [&]<class R>(std::type_identity<R>) { write_object(out, *static_cast<const R*>(record)); });
  return out;
}

Result<std::shared_ptr<const void>> decode(Kind kind, std::string_view json) {
  return with_record_type(kind, [&]<class R>(std::type_identity<R>) { return decode_record<R>(json); });
}

}  // namespace brume::state
