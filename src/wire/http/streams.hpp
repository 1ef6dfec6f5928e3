// Bodies that are not held in memory: one interface reads them piece by piece, for requests and for answers. The reader sets the pace:
// nothing is read from a socket, a file or a handler before the next piece is requested.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include "base/descriptor.hpp"
#include "base/time.hpp"

namespace brume::wire {

struct BodyError {
  enum class Kind {
    lost,             // the peer or the server has gone, or the request has been answered already
    timed_out,        // the peer sends nothing, or too slowly
    malformed,        // chunks or trailers violate the syntax
    wrong_length,     // the length differs from the announced one
    wrong_signature,  // of a chunk, of the trailers, or of the whole
    wrong_checksum,   // of the whole
    failed,           // the source failed
  };
  Kind kind = Kind::lost;
  std::string message;  // a sentence without a final dot
};

// Some bytes of a body. Empty: the body is complete, and all its signatures and checksums are valid.
using BodyPiece = tl::expected<std::string_view, BodyError>;

inline tl::unexpected<BodyError> body_error(BodyError::Kind kind, std::string message) {
  return tl::unexpected<BodyError>(BodyError{kind, std::move(message)});
}

// A body, from its first byte to its last. If an error follows, what was read before it must not be kept: signatures and checksums can be
// verified only when their last byte has arrived.
class BodySource {
 public:
  using Taker = std::function<void(BodyPiece)>;

  BodySource() = default;
  virtual ~BodySource() = default;
  BodySource(const BodySource&) = delete;
  BodySource& operator=(const BodySource&) = delete;

  // Gives the next piece to `take`, now or later, on any thread, exactly once; the bytes stay valid until the next call or the end of the
  // source. One call at a time: the next one after `take` has been called, or from within it. After the end or an error, further calls give
  // the same result again. `take` must not block if it is called on a server's thread.
  virtual void read(Taker take) = 0;
};

// Bytes of an open file.
struct FileSlice {
  Descriptor file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// The bytes, in both directions, of a connection that has switched to another protocol. Threads: any. Never blocks.
class ByteChannel {
 public:
  using Written = std::function<void(bool)>;

  ByteChannel() = default;
  virtual ~ByteChannel() = default;  // close()
  ByteChannel(const ByteChannel&) = delete;
  ByteChannel& operator=(const ByteChannel&) = delete;

  // As in BodySource; an empty piece: the peer has ended its side. A write may run at the same time.
  virtual void read(BodySource::Taker take) = 0;
  // One at a time. `written` gets false if the peer is gone or has read nothing for HttpLimits::write_time.
  virtual void write(std::string bytes, Written written) = 0;
  // `on_quiet` is called when nothing has arrived for that time, and again each time it passes. Until it is set, the connection is closed
  // after HttpLimits::idle without a byte.
  virtual void watch(milliseconds quiet, std::function<void()> on_quiet) = 0;
  // Ends the connection. A read in progress gets `lost`, a write false.
  virtual void close() = 0;
};

// An answer's body that is not a string: exactly one of these three is set.
struct StreamedAnswer {
  std::shared_ptr<BodySource> source;  // with `length`, or of any length (sent in chunks)
  std::optional<std::uint64_t> length;
  FileSlice file;  // sent by the kernel if the connection has no TLS
  // The connection switches to another protocol: after the head (101) this is called on a server's thread with the channel, which owns the
  // connection from then on.
  std::function<void(std::shared_ptr<ByteChannel>)> take_over;
};

}  // namespace brume::wire
