// The syntax of chunks: of a transfer encoding (RFC 9112, 7.1) and of aws-chunked, which looks alike and means something else.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace brume::wire {

// Strict, or a proxy before it might read the same bytes otherwise: lines end with CR LF, sizes are hexadecimal and fit 63 bits, lines and
// trailers are bounded. Holds no data, only the line it is in. Threads: one at a time.
class ChunkReader {
 public:
  enum class Event {
    more,     // all bytes have been taken, and more are needed
    chunk,    // a chunk begins: size() and extension(); size 0: the last one, trailers follow
    data,     // data(): a part of the chunk, within the bytes given
    trailer,  // name() and value() of a line behind the last chunk
    end,      // all is there; what is left of the bytes belongs to something else
    failed,   // reason()
  };

  // Takes from the front of `bytes` up to the next event.
  Event next(std::string_view& bytes);

  std::uint64_t size() const { return size_; }
  std::string_view extension() const;  // behind the size: "chunk-signature=…"; empty when there is none
  std::string_view data() const { return data_; }
  std::string_view name() const;  // as sent
  std::string_view value() const;
  std::string_view reason() const { return reason_; }

 private:
  enum class State { size, data, data_end, trailer, end, failed };

  // Whether line_ is a whole line now, without its end.
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
