// The stored form of every kind of record, byte for byte: a home that an older daemon wrote must read the same for ever.
#include <gtest/gtest.h>

#include <string>
#include <type_traits>
#include <vector>

#include "golden_file.hpp"
#include "state/codec.hpp"
#include "state/kinds.hpp"

namespace brume::state {
namespace {

// Gives every field a value that follows from its name and its place.
class GoldenFiller {
 public:
  void operator()(std::string_view name, std::string& value) { value = text(name); }
  void operator()(std::string_view, bool& value) { value = !value; }
  void operator()(std::string_view, std::int64_t& value) { value = ++number_ % 2 == 0 ? -number_ * 1'000'000'007 : number_; }
  void operator()(std::string_view, Time& value) { value = Time(milliseconds(1'322'000'000'123 + ++number_)); }
  void operator()(std::string_view name, std::vector<std::string>& values) { values = {text(name), "", text(name)}; }
  template <class E>
  requires std::is_enum_v<E>
  void operator()(std::string_view, E& value) {
    ++number_;
    value = value == static_cast<E>(1) ? static_cast<E>(0) : static_cast<E>(1);
  }
  template <class T>
  void operator()(std::string_view, std::vector<T>& values) {
    values.assign(3, T{});
    values[0].fields(*this);
    values[2].fields(*this);  // the middle one keeps its defaults
  }
  void bytes(std::string_view, std::string& value) {
    for (int i = 0; i < 256; ++i) value += static_cast<char>(i);
  }

 private:
  std::string text(std::string_view name) {
    return std::string(name) + " \"q\" \\ / \x01\n\t\x7f é 雲 ," + std::to_string(++number_) + "]}";
  }
  std::int64_t number_ = 0;
};

// Every other field keeps its default.
class EveryOther {
 public:
  template <class T>
  void operator()(std::string_view name, T& value) {
    if (++place_ % 2 == 0) filler_(name, value);
  }
  void bytes(std::string_view name, std::string& value) {
    if (++place_ % 2 == 0) filler_.bytes(name, value);
  }

 private:
  GoldenFiller filler_;
  int place_ = 0;
};

template <class R, class Visitor>
std::string stored(Visitor visitor) {
  R record;
  record.fields(visitor);
  auto json = encode(record);
  const auto back = decode(R::kind, json);
  EXPECT_TRUE(back && encode(R::kind, back->get()) == json) << name_of(R::kind);
  return json;
}

TEST(StoredRecords, AreByteForByteAsTheyWere) {
  std::string all;
  for (size_t i = 0; i < static_cast<size_t>(Kind::count); ++i)
    with_record_type(static_cast<Kind>(i), [&]<class R>(std::type_identity<R>) {
      for (const auto& json : {stored<R>(GoldenFiller()), stored<R>(EveryOther())})
        all.append(name_of(R::kind)).append(1, '\t').append(json).append(1, '\n');
    });
  expect_golden("records.tsv", all);
}

}  // namespace
}  // namespace brume::state
