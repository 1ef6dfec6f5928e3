// The operator's interface: JSON over HTTP on a unix socket that only root may open. The brume command is its client.
#pragma once

#include <functional>

#include "control/controller.hpp"
#include "daemon/image_builds.hpp"
#include "service/front_door.hpp"
#include "service/services.hpp"
#include "wire/http/server.hpp"

namespace brume::daemon {

struct AdminParts {
  const service::Services& services;
  const service::Services& first;  // of the first region, where accounts are made
  control::Controller& controller;
  service::WorkerPool& workers;
  const service::FrontDoor& front_door;
  ImageBuilds& image_builds;
  compute::Hypervisor::Description hypervisor;
  std::string home;
  std::string identity_certificate;  // checks what instances say of themselves; empty: a simulation
  // Ends the daemon; with machines: everything that runs and is on the host as well.
  std::function<void(bool with_machines)> shut_down;
  // Accounts or keys changed: the other regions learn of it before this returns.
  std::function<void()> accounts_changed;
  // Of every region, the first one first.
  std::function<std::vector<const service::Services*>()> regions;
};

// Threads: handle may be called from any thread.
class Admin {
 public:
  explicit Admin(AdminParts parts) : parts_(std::move(parts)) {}
  void handle(wire::HttpRequest&& request, wire::Responder respond);

 private:
  wire::HttpResponse answer(const wire::HttpRequest& request);
  void delete_account(const std::string& id);
  wire::HttpResponse answer_accounts(std::string_view method, const std::vector<std::string_view>& parts, const wire::HttpRequest& request);

  AdminParts parts_;
};

}  // namespace brume::daemon
