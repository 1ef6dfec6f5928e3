// Disks that several machines have at once (EBS Multi-Attach). Two QEMUs cannot write to one qcow2 file: a qemu-storage-daemon has the
// disk's files open instead, one for each such disk, and the machines are its clients. It begins with the first of them and ends with the
// last, outlives the daemon as machines do, and is found again by its folder, <home>/disk-servers/<volume id>/:
//
//   process, qmp, log   as a machine's (machine_folder.hpp)
//   door/nbd            the socket that machines come in by
//
// Each machine has an export of its own. The door is in a folder that only we may enter; a machine that may come in has a link to it in
// its own folder, disks/<volume>, where nobody else can go. A machine whose server died waits and comes in again.
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
    std::optional<unsigned> user;  // none: ours
  };
  struct Parts {
    std::string folder;
    EventLoop& loop;
    std::function<std::optional<unsigned>(const std::string& volume_id)> user;  // that a server runs as
    std::function<void(const std::string& volume_id)> left;                     // nothing of the server is left: nor does it need a user
    std::function<void(MachineReport)> report;                                  // `died`, by the volume's id
  };
  explicit DiskServers(Parts parts) : parts_(std::move(parts)) {}

  // nullptr: none runs for this volume.
  std::shared_ptr<Machine> find(const std::string& volume_id) const;

  // From now on the machine may come in. Starts the server when there is none.
  Result<void> admit(const Disk& disk, const Client& client);
  // The machine does not have the disk any more. The files are free when the last one has gone.
  Result<void> dismiss(const std::string& volume_id, const std::string& client_id);
  // It has ended.
  void dismiss_everywhere(const std::string& client_id);

  // Larger. No machine may be inside meanwhile: they come in again by themselves, and have to be told of the size. Returns who.
  Result<std::set<std::string>> resize(const std::string& volume_id, std::uint64_t bytes);

  // Takes up the servers that run since before, and ends what serves none of these machines.
  void recover(const std::set<std::string>& running);
  // Leaves them alone from now on.
  void release();

 private:
  struct Server {
    std::mutex turn;  // held while it is started, ended, or a machine is let in or shut out
    std::shared_ptr<Machine> machine;
    std::set<std::string> clients;
  };

  std::shared_ptr<Server> entry(const std::string& volume_id);
  std::shared_ptr<Machine> make_machine(const std::string& volume_id) const;
  MachineFolder folder_of(const std::string& volume_id) const { return MachineFolder(parts_.folder + "/" + volume_id); }
  Result<std::shared_ptr<Machine>> start(const Disk& disk) const;
  Result<void> open_door(const std::string& volume_id, const Client& client) const;
  void keep(Server& server, std::shared_ptr<Machine> machine);
  // With its turn held: not before all machines have gone.
  Result<void> end_unused(Server& server, const std::string& volume_id);
  Result<void> shut_out(Server& server, const std::string& volume_id, const std::string& client_id);
  void take_up(const std::string& volume_id, const std::set<std::string>& running);

  const Parts parts_;
  mutable std::mutex mutex_;  // guards the map, and `machine` and `clients` of each
  std::map<std::string, std::shared_ptr<Server>> servers_;
};

}  // namespace brume::compute
