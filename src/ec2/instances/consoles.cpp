// The outputs of an instance: its serial console (INS-073), its screen, and the password that Windows posts on the console (INS-086).
#include "wire/ec2/consoles.hpp"
#include "base/text.hpp"
#include "ec2/instances/instances.hpp"

namespace brume::ec2 {
namespace {

using service::Context;

constexpr size_t console_limit = 64 * 1024;  // of GetConsoleOutput

// Always the newest: what the guest writes can be read at once, so Latest makes no difference.
wire::ec2::GetConsoleOutputResponse get_console_output(const Context& context, const wire::ec2::GetConsoleOutputRequest& request) {
  const auto world = context.services.store.world();
  const auto& instance = find_instance(*world, context.account(), *request.instance_id);
  wire::ec2::GetConsoleOutputResponse response;
  response.instance_id = instance.id;
  const auto console = context.services.console(instance.id, console_limit);
  response.timestamp = console ? console->written : instance.launched;
  response.output = to_base64(console ? console->text : std::string());
  return response;
}

wire::ec2::GetConsoleScreenshotResponse get_console_screenshot(const Context& context,
                                                               const wire::ec2::GetConsoleScreenshotRequest& request) {
  const auto world = context.services.store.world();
  const auto& instance = find_instance(*world, context.account(), *request.instance_id);
  if (instance.state != state::InstanceState::running)
    throw wire::ApiError(400, "IncorrectInstanceState", fmt::format("The instance '{}' is not in the 'running' state.", instance.id));
  wire::ec2::GetConsoleScreenshotResponse response;
  response.instance_id = instance.id;
  if (context.dry_run) return response;
  const auto picture = context.services.screen(instance.id, request.wake_up.value_or(false));
  if (!picture && picture.error().kind == ErrorKind::refused)
    throw wire::unsupported_operation(
        fmt::format("There is no screenshot of the instance '{}': {}.", instance.id, picture.error().message));
  if (!picture)
    throw wire::service_unavailable(
        fmt::format("The screen of the instance '{}' cannot be read now: {}.", instance.id, picture.error().message));
  response.image_data = to_base64(*picture);
  return response;
}

// Control records a password as soon as it is posted; before that, and for guests that post none, the answer is an empty password.
wire::ec2::GetPasswordDataResponse get_password_data(const state::World& world, const Context& context,
                                                     const wire::ec2::GetPasswordDataRequest& request) {
  const auto& instance = find_instance(world, context.account(), *request.instance_id);
  wire::ec2::GetPasswordDataResponse response;
  response.instance_id = instance.id;
  response.timestamp = instance.password_data.empty() ? instance.launched : instance.password_posted;
  response.password_data = instance.password_data;
  return response;
}

// Guests boot by legacy BIOS, which keeps no variables: so there are none to show, and the member is omitted.
wire::ec2::GetInstanceUefiDataResponse get_uefi_data(const state::World& world, const Context& context,
                                                     const wire::ec2::GetInstanceUefiDataRequest& request) {
  const auto& instance = find_instance(world, context.account(), *request.instance_id);
  wire::ec2::GetInstanceUefiDataResponse response;
  response.instance_id = instance.id;
  return response;
}

}  // namespace

std::vector<service::Action> console_actions() {
  using namespace wire::ec2;
  return {
      service::work_action<GetConsoleOutputRequest>("GetConsoleOutput", get_console_output),
      service::work_action<GetConsoleScreenshotRequest>("GetConsoleScreenshot", get_console_screenshot),
      service::read_action<GetPasswordDataRequest>("GetPasswordData", get_password_data),
      service::read_action<GetInstanceUefiDataRequest>("GetInstanceUefiData", get_uefi_data),
  };
}

}  // namespace brume::ec2
