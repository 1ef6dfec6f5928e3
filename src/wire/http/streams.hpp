// Bodies that are not held in memory: read piece by piece, in the request's direction and in the answer's, by one interface.
// Whoever takes the pieces sets the pace: nothing is read from a socket, a file or a handler before the next piece is asked for.
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
    timed_out,        // the peer sends nothing, or next to nothing
    malformed,        // not the syntax of chunks or trailers
    wrong_length,     // not as long as was announced
    wrong_signature,  // of a chunk, of the trailers, or of the whole
    wrong_checksum,   // of the whole
    failed,           // whoever makes the body cannot
  };
  Kind kind = Kind::lost;
  std::string message;  // a sentence without final dot
};

// Some bytes of a body; empty: the body is complete, and everything that was promised about it holds.
using BodyPiece = tl::expected<std::string_view, BodyError>;

inline tl::unexpected<BodyError> body_error(BodyError::Kind kind, std::string message) {
  return tl::unexpected<BodyError>(BodyError{kind, std::move(message)});
}

// A body, from its first byte to its last. What has been given before an error must not be used for anything lasting: signatures and
// checksums are judged when their last byte has come.
class BodySource {
 public:
  using Taker = std::function<void(BodyPiece)>;

  BodySource() = default;
  virtual ~BodySource() = default;
  BodySource(const BodySource&) = delete;
  BodySource& operator=(const BodySource&) = delete;

  // Gives the next piece to `take`, now or later, on any thread, exactly once; the bytes stay until the next call or the end of the
  // source. One call at a time: the next one after `take` has been called, or from within it. After the end or an error it is the same
  // again. `take` must not wait when it is called on a server's thread.
  virtual void read(Taker take) = 0;
};

// Bytes of an open file.
struct FileSlice {
  Descriptor file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

// The bytes of a connection that speaks something else from now on, both ways. Threads: any. Never waits.
class ByteChannel {
 public:
  using Written = std::function<void(bool)>;

  ByteChannel() = default;
  virtual ~ByteChannel() = default;  // close()
  ByteChannel(const ByteChannel&) = delete;
  ByteChannel& operator=(const ByteChannel&) = delete;

  // As of BodySource; the end is the peer's. At the same time as a write.
  virtual void read(BodySource::Taker take) = 0;
  // One at a time; `written` hears false when the peer is gone or takes nothing for HttpLimits::write_time.
  virtual void write(std::string bytes, Written written) = 0;
  // `on_quiet` is called when nothing has come for that time, and again each time it has passed. Until it is set, the connection is closed
  // after HttpLimits::idle without a byte.
  virtual void watch(milliseconds quiet, std::function<void()> on_quiet) = 0;
  // Ends the connection. A read under way hears `lost`, a write false.
  virtual void close() = 0;
};

// An answer's body that is not a string: one of the three.
struct StreamedAnswer {
  std::shared_ptr<BodySource> source;  // with `length`, or of any length (sent in chunks)
  std::optional<std::uint64_t> length;
  FileSlice file;  // sent by the kernel where the connection is plain
  // The connection changes its protocol: after the head (101) it belongs to whoever this is called with, on a server's thread.
  std::function<void(std::shared_ptr<ByteChannel>)> take_over;
};

}  // namespace brume::wire
