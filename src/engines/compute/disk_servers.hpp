// Disks that several machines have at once (EBS Multi-Attach). Two QEMUs cannot write to one qcow2 file, so one qemu-storage-daemon per
// such disk has its files open, and the machines are its clients. It starts with the first machine and ends with the last, outlives the
// daemon as machines do, and is found again by its folder, <home>/disk-servers/<volume id>/:
//
//   process, qmp, log   as a machine's (machine_folder.hpp)
//   door/nbd            the socket that machines connect to
//
// Each machine has an export of its own. The door is in a folder that only we may enter; a machine that may connect has a link to it in
// its own folder, disks/<volume>, which nobody else can reach. If the server dies, its machines wait and reconnect.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "base/result.hpp"
#include "engines/compute/hypervisor.hpp"
#include "engines/compute/machine.hpp"

namespace brume::compute {

// Threads: any.
class DiskServers {
 public:
  struct Client {
    std::string id;
    std::string folder;            // the machine's
    std::optional<unsigned> user;  // none: as our user
  };
  struct Parts {
    std::string folder;
    EventLoop& loop;
    std::function<std::optional<unsigned>(const std::string& volume_id)> user;  // the user that a server runs as
    std::function<void(const std::string& volume_id)> left;  // nothing of the server is left, so it needs no user any more
    std::function<void(MachineReport)> report;               // `died`, by the volume's id
  };
  explicit DiskServers(Parts parts) : parts_(std::move(parts)) {}

  // nullptr: none runs for this volume.
  std::shared_ptr<Machine> find(const std::string& volume_id) const;

  // Lets the machine connect from now on. Starts the server if there is none.
  Result<void> admit(const Disk& disk, const Client& client);
  // The machine does not have the disk any more. The files are free once the last machine has left.
  Result<void> dismiss(const std::string& volume_id, const std::string& client_id);
  // The server has ended.
  void dismiss_everywhere(const std::string& client_id);

  // Makes it larger. No machine may be connected meanwhile; they reconnect by themselves and must be told the size. Returns which machines.
  Result<std::set<std::string>> resize(const std::string& volume_id, std::uint64_t bytes);

  // Takes over the servers that were running before, and ends those that serve none of these machines.
  void recover(const std::set<std::string>& running);
  // Leaves the servers alone from now on.
  void release();

 private:
  struct Server {
    std::mutex turn;  // held while it is started or ended, or while a machine is let in or shut out
    std::shared_ptr<Machine> machine;
    std::set<std::string> clients;
  };

  std::shared_ptr<Server> entry(const std::string& volume_id);
  std::shared_ptr<Machine> make_machine(const std::string& volume_id) const;
  MachineFolder folder_of(const std::string& volume_id) const { return MachineFolder(parts_.folder + "/" + volume_id); }
  Result<std::shared_ptr<Machine>> start(const Disk& disk) const;
  Result<void> open_door(const std::string& volume_id, const Client& client) const;
  void keep(Server& server, std::shared_ptr<Machine> machine);
  // Call with its turn held, after all machines have left.
  Result<void> end_unused(Server& server, const std::string& volume_id);
  Result<void> shut_out(Server& server, const std::string& volume_id, const std::string& client_id);
  void take_up(const std::string& volume_id, const std::set<std::string>& running);

  const Parts parts_;
  mutable std::mutex mutex_;  // guards the map, and `machine` and `clients` of each
  std::map<std::string, std::shared_ptr<Server>> servers_;
};

}  // namespace brume::compute
