// A body of values (JSON, CBOR) on its way to be a parameter tree. The shapes of the service's model lead the way: a member gets the name
// that the typed request reads it by, an entry of a map is a numbered item with a key and a value, and a value of the wrong kind is
// refused.
//   {"Names": ["a", "b"], "Filter": {"Key": "k"}, "Tags": {"x.y": "z"}}  →  Names.1=a, Names.2=b, Filter.Key=k, Tags.1.key=x.y,
//   Tags.1.value=z
// What the model does not know is kept by its own name, so that it can be refused by it.
//
// It is bounded as a query is: so many values, names and depth. A reader of bytes calls it as it goes and needs no tree of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/schema.hpp"

namespace brume::wire {

// Where a value stands: the shape that the model has there; null when it knows none.
struct BodyPlace {
  const schema::Service* service = nullptr;
  const schema::Shape* shape = nullptr;
};

enum class BodyValue : std::uint8_t { text, number, boolean, bytes, time };

// Every function throws ApiError SerializationException for what does not fit.
class BodyTree {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  static constexpr size_t deepest = 32;  // objects and lists within each other

  // Of values that are not texts in a text form of their own (CBOR): bytes and times have to be what they are. In JSON both are texts.
  explicit BodyTree(bool is_binary) : is_binary_(is_binary) {}

  // An object (or map) and a list, from the first to the last of what is in it. `read` is called with the place of the member or item.
  class Inside {
   public:
    Inside(BodyTree& tree, BodyPlace place, bool is_list);
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside();

    // Of an object: the member or entry of this name.
    template <class Read>
    void member(std::string_view name, Read&& read) {
      read(enter_member(name));
      leave();
    }
    // Of a list: the next item.
    template <class Read>
    void item(Read&& read) {
      read(enter_item());
      leave();
    }
    // The same for a reader that is told of one value after another: `leave` when the value has been read.
    BodyPlace enter_member(std::string_view name) {
      outer_name_ = tree_.name_.size();
      return tree_.enter_member(place_, name, ++count_);
    }
    BodyPlace enter_item() {
      outer_name_ = tree_.name_.size();
      return tree_.enter_item(place_, ++count_);
    }
    void leave() { tree_.name_.resize(outer_name_); }
    // At the end: a structure with nothing in it leaves a mark, so that it is there.
    void end();

   private:
    BodyTree& tree_;
    BodyPlace place_;
    bool is_list_;
    size_t count_ = 0;
    size_t before_;          // pairs
    size_t outer_name_ = 0;  // how long the name is around the value that is being read
  };

  // A value at the current name. Bytes are given in base64.
  void value(BodyPlace place, BodyValue kind, std::string text);

  Pairs take() { return std::move(pairs_); }

  // "The value of Names.1 …", for errors.
  [[noreturn]] void refuse(std::string_view why) const;

 private:
  BodyPlace enter_member(BodyPlace of, std::string_view name, size_t number);
  BodyPlace enter_item(BodyPlace of, size_t number);
  void append(std::string_view part);
  void add(std::string name, std::string text);

  bool is_binary_;
  std::string name_;
  size_t depth_ = 0;
  Pairs pairs_;
};

}  // namespace brume::wire
