#include "state/codec.hpp"

#include <array>

#include "state/fields.hpp"
#include "state/kinds.hpp"

namespace brume::state {
namespace {

struct RecordType {
  const Form& (*form)();
  std::shared_ptr<void> (*make)();
};

template <class R>
constexpr RecordType record_type{form_of<R>, make_fresh<R>};

const RecordType& type_of(Kind kind) {
  return with_record_type(kind, []<class R>(std::type_identity<R>) -> const RecordType& { return record_type<R>; });
}

}  // namespace

std::string encode(Kind kind, const void* record) {
  std::string out;
  write_object(out, type_of(kind).form(), record);
  return out;
}

Result<std::shared_ptr<const void>> decode(Kind kind, std::string_view json) {
  const auto& type = type_of(kind);
  auto record = type.make();
  if (const auto failure = read_object(json, type.form(), record.get()); !failure.empty()) return brume::fail(ErrorKind::broken, failure);
  return std::shared_ptr<const void>(std::move(record));
}

}  // namespace brume::state
