// The text of a flow log's file: a line with the names of its fields, then one line per flow.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "engines/network/network_engine.hpp"
#include "state/records.hpp"

namespace brume::control {

class FlowLogLines {
 public:
  // The log's format: "${version} ${account-id} …".
  FlowLogLines(const std::string& format, const std::string& region);

  void add(const state::NetworkInterface& interface, const network::FlowRecord& flow, Time first, Time last);
  // Nothing flowed there ("NODATA"), or not everything is known ("SKIPDATA").
  void add_status(const state::NetworkInterface& interface, std::string_view status, Time begin, Time end);
  bool empty() const { return empty_; }
  const std::string& text() const { return text_; }
  // Writes all of it, compressed, into a file that does not exist yet.
  Result<void> pack(const std::string& path) const;

 private:
  struct Line {
    const state::NetworkInterface& interface;
    const network::FlowRecord* flow;  // null: none
    Time start;
    Time end;
    std::string_view status;
  };
  void write(const Line& line);
  std::string field(const Line& line, const std::string& name) const;

  std::vector<std::string> fields_;
  std::string version_;
  std::string region_;
  std::string text_;
  bool empty_ = true;
};

}  // namespace brume::control
