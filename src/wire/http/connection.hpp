// One accepted connection: reads a request, hands it over, writes the answer, and again. Exactly one operation is under
// way on a connection at any time, and all of it on its worker's thread; only a connection that was taken over reads and writes at once.
//   connection.cpp          begin and end, reading of requests, deadlines
//   connection_answer.cpp   writing: whole answers, streamed ones, files
//   connection_body.cpp     the body of a request that is streamed
//   connection_channel.cpp  after a change of the protocol
#pragma once

#include <array>
#include <boost/asio/ssl/stream.hpp>
#include <cstdint>
#include <limits>
#include <optional>

#include "wire/http/chunk_reader.hpp"
#include "wire/http/endpoint.hpp"
#include "wire/http/parser.hpp"
#include "wire/http/worker.hpp"

namespace brume::wire {

struct Peer {
  std::string address;
  std::uint16_t port = 0;
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<Worker> worker, std::shared_ptr<Endpoint> endpoint, Socket socket, Peer peer);
  ~Connection();

  void start();
  // Sends the answer to the current request. Threads: any.
  void deliver(HttpResponse response);
  void deliver_failure();

  // For the worker's thread only.
  const Endpoint& endpoint() const { return *endpoint_; }
  const std::string& peer_address() const { return peer_.address; }  // threads: any
  SteadyTime deadline() const { return deadline_; }
  void on_deadline();
  bool waits_for_request() const { return stage_ != Stage::handling && stage_ != Stage::writing; }
  void close();

  // Closes the connection soon. Threads: any.
  void give_up();
  // Whether the server is working for the connection, or waits for its peer: positive for a complete request, since that time; negative
  // (except given_up) while the answer has to be read. claim wins a waiting connection for closing it. Threads: any.
  static constexpr std::int64_t at_work = 0;
  static constexpr std::int64_t given_up = std::numeric_limits<std::int64_t>::min();
  std::int64_t waiting() const { return waiting_.load(std::memory_order_relaxed); }
  bool claim(std::int64_t waiting) { return waiting_.compare_exchange_strong(waiting, given_up); }

  // Called by the objects that represent streams outside (RequestBody, PieceTicket, Channel). Threads: any.
  void read_body(std::uint64_t exchange, BodySource::Taker take);
  void deliver_piece(BodyPiece piece);
  void read_channel(BodySource::Taker take);
  void write_channel(std::string bytes, ByteChannel::Written written);
  void watch_channel(milliseconds quiet, std::function<void()> on_quiet);
  void close_channel();

  size_t index = 0;              // position in the worker's list
  PeerCounts* counts = nullptr;  // the endpoint's, while it counts this connection

 private:
  enum class Stage { handshake, idle, reading, handling, writing, lingering, taken_over, closed };
  enum class For { request, reader };
  static constexpr size_t first_buffer = 4 << 10;
  static constexpr size_t body_buffer = 64 << 10;

  // The body of the current request, if it is streamed.
  struct Incoming {
    bool in_chunks = false;
    std::uint64_t left = 0;  // unused for chunked bodies
    ChunkReader chunks;
    bool expects_continue = false;
    bool is_complete = false;
    std::optional<BodyError> error;
    BodySource::Taker take;  // waits for the next piece
  };
  // The rest of a streamed answer, after its head.
  struct Outgoing {
    std::shared_ptr<StreamedAnswer> answer;
    bool in_chunks = false;
    std::uint64_t left = 0;  // unused for chunked bodies
    bool is_complete = false;
    bool is_asked = false;  // the source has been asked for a piece
    std::optional<BodyPiece> piece;
    std::string chunk_head;
    size_t sent_in_turn = 0;
  };
  // The state of a connection that has switched to another protocol.
  struct TakenOver {
    BodySource::Taker take;
    bool is_ended = false;  // by the peer
    bool is_reading = false;
    std::string unwritten;
    size_t written_bytes = 0;
    ByteChannel::Written written;
    SteadyTime write_by = SteadyTime::max();
    milliseconds quiet{0};
    SteadyTime quiet_at = SteadyTime::max();
    std::function<void()> on_quiet;
  };

  void open();
  void open_encrypted();
  void process();
  bool process_step();
  void read();
  void on_read(const boost::system::error_code& code, size_t count);
  void handle();
  void refuse(int status, std::string_view reason);
  void become_idle();
  // False: the connection is being closed.
  bool wait_for(For what);
  bool stop_waiting() { return waiting_.exchange(at_work) != given_up; }
  void set_deadline(milliseconds from_now);
  void make_room();

  void answer(HttpResponse response);
  void compose(HttpResponse&& response);
  void append_length(const HttpResponse& response);
  void begin_stream(const HttpResponse& response);
  void write();
  bool write_at_once();
  void write_more();
  void on_write(const boost::system::error_code& code, size_t count);
  void written();
  void finish_answer();
  void stream_more();
  void stream_step();
  bool is_turn_over();
  void send_piece(BodyPiece piece);
  void send_file();
  void send_file_encrypted();
  void wait_writable();
  void abort_answer(std::string_view why);
  void end_gracefully();
  void linger();
  void begin_linger();
  void discard();
  void limit_hops(int limit);

  void begin_body(HttpRequest& request);
  void take_body(std::uint64_t exchange, BodySource::Taker take);
  void feed_body();
  bool feed_step();
  void read_more_body();
  void on_body(const boost::system::error_code& code, size_t count);
  std::optional<BodyPiece> next_piece();
  std::optional<BodyPiece> next_piece_of_chunks();
  void end_body();
  void lose_taker();
  // How long to wait for the peer of a stream this time; see HttpLimits::bytes_a_second.
  void begin_wait(milliseconds limit);
  void end_wait();

  void begin_channel();
  void read_from_channel(BodySource::Taker take);
  void read_more_channel();
  void on_channel_read(const boost::system::error_code& code, size_t count);
  void write_to_channel(std::string bytes, ByteChannel::Written written);
  void write_more_channel();
  void on_channel_write(const boost::system::error_code& code, size_t count);
  void on_channel_deadline();
  void set_channel_deadline();
  void lose_channel();

  std::shared_ptr<Worker> worker_;  // before the socket: a socket must not outlive its event loop
  std::shared_ptr<Endpoint> endpoint_;
  Socket socket_;
  std::optional<net::ssl::stream<Socket&>> tls_;
  Peer peer_;
  HttpParser parser_;
  Stage stage_ = Stage::handshake;
  bool admitted_ = false;    // counted by the endpoint as a connection
  bool over_limit_ = false;  // counted by the endpoint as one that only gets 503
  SteadyTime deadline_ = SteadyTime::max();
  std::atomic<std::int64_t> waiting_;

  std::vector<char> buffer_;
  size_t begin_ = 0;  // bytes [begin_, end_) are read and not parsed
  size_t end_ = 0;
  std::string head_;  // of the answer, followed by a small body
  std::string body_;
  std::shared_ptr<void> until_taken_;  // of the answer
  std::array<net::const_buffer, 3> unsent_;

  bool processing_ = false;  // process() is on the stack: answers return to it instead of calling it
  bool timed_out_ = false;   // the request took too long, and the read was cancelled to say so
  bool keep_alive_ = false;
  bool version_1_0_ = false;
  bool is_head_ = false;
  bool is_refusal_ = false;
  bool is_continue_ = false;  // "100 Continue" is being written
  bool continued_ = false;    // and has been written for this request
  size_t discarded_ = 0;
  int hop_limit_ = 0;

  // State of streams.
  std::uint64_t exchange_ = 0;  // number of the request, so that a reader of an earlier request gets nothing of this one
  std::optional<Incoming> incoming_;
  std::unique_ptr<HttpResponse> held_answer_;  // arrived while the body was being read
  std::optional<Outgoing> outgoing_;
  std::unique_ptr<TakenOver> taken_over_;
  bool reading_body_ = false;  // a read for incoming_ is in progress
  bool feeding_ = false;       // feed_body() is on the stack
  bool streaming_ = false;     // stream_more() is on the stack
  bool stream_again_ = false;
  bool is_unread_ = false;   // the answer was given before the end of the request's body
  std::uint64_t moved_ = 0;  // bytes of the stream
  SteadyTime wait_began_;
  std::chrono::nanoseconds waited_{0};
};

}  // namespace brume::wire
