// The syntax of chunks, as used by the chunked transfer encoding (RFC 9112, 7.1) and by aws-chunked, which looks the same but has another
// meaning.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace brume::wire {

// Strict, because a proxy in front might read the same bytes differently: lines end with CR LF, sizes are hexadecimal and fit in 63 bits,
// lines and trailers have a maximum length. Holds no data except the current line. Threads: one at a time.
class ChunkReader {
 public:
  enum class Event {
    more,     // all bytes have been consumed, and more are needed
    chunk,    // a chunk begins: size() and extension(); size 0: the last one, trailers follow
    data,     // data(): a part of the chunk, within the bytes given
    trailer,  // name() and value() of a line after the last chunk
    end,      // complete; the remaining bytes belong to something else
    failed,   // reason()
  };

  // Consumes the front of `bytes` up to the next event.
  Event next(std::string_view& bytes);

  std::uint64_t size() const { return size_; }
  std::string_view extension() const;  // after the size: "chunk-signature=…"; empty if there is none
  std::string_view data() const { return data_; }
  std::string_view name() const;  // as sent
  std::string_view value() const;
  std::string_view reason() const { return reason_; }

 private:
  enum class State { size, data, data_end, trailer, end, failed };

  // Whether line_ is now a complete line, without its line end.
  bool take_line(std::string_view& bytes);
  Event begin_chunk();
  Event end_line();
  Event fail(std::string_view reason);

  State state_ = State::size;
  bool fresh_ = true;  // the next byte begins a line
  std::string line_;
  size_t colon_ = 0;
  size_t trailer_bytes_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t left_ = 0;
  std::string_view data_;
  std::string_view reason_;
};

}  // namespace brume::wire
