// 'brume up' and 'brume down': from nothing to a shell in an instance, and back. Everything except starting the daemon uses the public API,
// as any client would.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "cli/admin_client.hpp"
#include "cli/commands.hpp"
#include "cli/ec2_client.hpp"
#include "cli/http_client.hpp"
#include "cli/progress.hpp"

namespace brume::cli {

namespace json = boost::json;

namespace {

constexpr auto daemon_patience = seconds(30);
constexpr std::uint64_t least_room = 1 << 20;
constexpr auto boot_patience = std::chrono::minutes(10);
constexpr const char* first_instance_name = "first";

// A second 'up' at the same time waits for the first instead of interfering.
class UpLock {
 public:
  static Result<UpLock> take(const std::string& home) {
    if (auto made = make_folders(home, 0711); !made) return fail(made.error());
    UpLock lock;
    lock.file_ = Descriptor(::open((home + "/up.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock.file_) return fail_system("cannot open " + home + "/up.lock (are you root?)", errno);
    if (::flock(lock.file_.get(), LOCK_EX | LOCK_NB) == 0) return lock;
    Step step("another 'brume up' or 'down' is at work; waiting for it");
    if (::flock(lock.file_.get(), LOCK_EX) != 0) return fail_system("cannot wait for the other 'brume up'", errno);
    step.done();
    return lock;
  }

 private:
  Descriptor file_;
};

// The key pair "brume", with its private key in a file that only its owner can read. A key whose file is lost is made anew.
Result<std::string> provide_key(const Ec2Client& ec2, const std::string& home) {
  const auto file = home + "/brume.pem";
  const bool known = ec2.call("DescribeKeyPairs", {{"KeyName.1", "brume"}}).has_value();
  if (known && path_exists(file)) return file;
  if (known)
    if (auto gone = ec2.call("DeleteKeyPair", {{"KeyName", "brume"}}); !gone) return fail(gone.error());
  auto made = ec2.call("CreateKeyPair", {{"KeyName", "brume"}, {"KeyType", "ed25519"}});
  if (!made) return fail(made.error());
  if (auto written = write_file(file, made->text("keyMaterial"), 0600); !written) return fail(written.error());
  return file;
}

Result<void> open_ssh(const Ec2Client& ec2) {
  auto opened = ec2.call("AuthorizeSecurityGroupIngress", {{"GroupName", "default"},
                                                           {"IpPermissions.1.IpProtocol", "tcp"},
                                                           {"IpPermissions.1.FromPort", "22"},
                                                           {"IpPermissions.1.ToPort", "22"},
                                                           {"IpPermissions.1.IpRanges.1.CidrIp", "0.0.0.0/0"}});
  if (!opened && !opened.error().message.starts_with("InvalidPermission.Duplicate")) return fail(opened.error());
  return {};
}

struct InstanceView {
  std::string id, state, address, reason, image;
};

Result<InstanceView> describe(const Ec2Client& ec2, const Ec2Client::Parameters& parameters) {
  auto answer = ec2.call("DescribeInstances", parameters);
  if (!answer) return fail(answer.error());
  const std::string item = "reservationSet/item/instancesSet/item/";
  return InstanceView{answer->text(item + "instanceId"), answer->text(item + "instanceState/name"), answer->text(item + "ipAddress"),
                      answer->text(item + "stateReason/message"), answer->text(item + "imageId")};
}

Result<InstanceView> provide_instance(const Ec2Client& ec2, const std::string& image_id) {
  auto found = describe(ec2, {{"Filter.1.Name", "tag:Name"},
                              {"Filter.1.Value.1", first_instance_name},
                              {"Filter.2.Name", "instance-state-name"},
                              {"Filter.2.Value.1", "pending"},
                              {"Filter.2.Value.2", "running"},
                              {"Filter.2.Value.3", "stopped"}});
  if (!found) return found;
  if (found->state == "stopped")
    if (auto started = ec2.call("StartInstances", {{"InstanceId.1", found->id}}); !started) return fail(started.error());
  if (!found->id.empty()) return found;
  auto launched = ec2.call("RunInstances", {{"ImageId", image_id},
                                            {"InstanceType", "t2.micro"},
                                            {"MinCount", "1"},
                                            {"MaxCount", "1"},
                                            {"KeyName", "brume"},
                                            {"TagSpecification.1.ResourceType", "instance"},
                                            {"TagSpecification.1.Tag.1.Key", "Name"},
                                            {"TagSpecification.1.Tag.1.Value", first_instance_name}});
  if (!launched) return fail(launched.error());
  return InstanceView{launched->text("instancesSet/item/instanceId"), "pending", {}, {}, image_id};
}

Result<InstanceView> wait_for_ssh(const Ec2Client& ec2, const std::string& id) {
  Step step("instance " + id);
  const auto end = std::chrono::steady_clock::now() + boot_patience;
  while (std::chrono::steady_clock::now() < end) {
    auto instance = describe(ec2, {{"InstanceId.1", id}});
    if (!instance) return instance;
    if (instance->state != "pending" && instance->state != "running")
      return fail(ErrorKind::broken, "the instance is " + instance->state + ": " + instance->reason);
    step.update(instance->state == "pending" ? "pending" : "running, waiting until SSH answers");
    if (instance->state == "running") {
      const auto banner = read_banner(instance->address, 22, seconds(2));
      if (banner && banner->starts_with("SSH-")) {
        step.done("SSH answers on " + instance->address);
        return instance;
      }
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
  return fail(ErrorKind::timed_out, "SSH did not answer within " + std::to_string(boot_patience.count()) +
                                        " minutes; 'aws ec2 get-console-output --instance-id " + id + "' shows what the instance printed");
}

void show_result(const Options& options, const json::value& status, const InstanceView& instance, const std::string& key,
                 const std::string& user) {
  const auto brume = command_for(options);
  std::printf(
      "\n"
      "Your cloud is up, and %s runs in it.\n\n"
      "  log in       ssh -i %s -o StrictHostKeyChecking=accept-new %s@%s\n"
      "  endpoint     %s\n"
      "  AWS tools    eval \"$(%s env)\" && aws ec2 describe-instances\n"
      "  stop it      %s down\n\n",
      instance.id.c_str(), key.c_str(), user.c_str(), instance.address.c_str(), text(status, "endpoint").c_str(), brume.c_str(),
      brume.c_str());
}

// Nobody answers: end what a dead daemon left running.
int end_what_is_left(const Options& options) {
  Command command;
  command.program = program_folder() + "/brumed";
  command.arguments = {"--home", options.home, "--clean-up"};
  auto done = run(command, std::chrono::minutes(5));
  if (!done) return complain(done.error());
  const auto said = std::string(trim(done->output));
  if (done->status != 0) {
    std::fprintf(stderr, "%s", done->errors.c_str());
    return complain("not all of what is left of the cloud in " + options.home + " was ended");
  }
  if (said.empty())
    std::printf("No Brume runs on %s, and nothing is left of one.\n", options.home.c_str());
  else
    std::printf("No daemon ran on %s. Did what it would have done: %s.\n", options.home.c_str(), said.c_str());
  return 0;
}

}  // namespace

int complain(std::string_view sentence) {
  std::fprintf(stderr, "brume: %.*s\n", static_cast<int>(sentence.size()), sentence.data());
  return 1;
}

int complain(const Error& error) { return complain(error.message); }

std::string command_for(const Options& options) {
  return program_folder() + "/brume" + (options.home == Options().home ? "" : " --home " + options.home);
}

std::string program_folder() {
  char path[4096] = {};
  const auto length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  const std::string program(path, length > 0 ? static_cast<size_t>(length) : 0);
  return program.substr(0, program.rfind('/'));
}

std::string images_folder() {
  if (const char* folder = std::getenv("BRUME_IMAGES")) return folder;
  // build/release/bin/brume of a source tree, or an installed bin/brume.
  for (const char* relative : {"/../../../images", "/../share/brume/images"})
    if (const auto folder = program_folder() + relative; path_exists(folder)) return folder;
  return "/usr/share/brume/images";
}

Result<void> start_daemon(const Options& options) {
  const AdminClient admin(options.home);
  if (admin.daemon_runs()) return {};
  // It could not even write down why it does not start.
  if (const auto room = free_bytes(options.home); room && *room < least_room)
    return fail(ErrorKind::exhausted, "the disk of " + options.home +
                                          " is full. Make room and try again; of that folder may go: brumed.log, " +
                                          "what is in images/, and, if nobody misses it, what is in blocks/aside");
  Step step("starting the cloud");
  Command command;
  command.program = program_folder() + "/brumed";
  command.arguments = {"--home", options.home};
  if (options.port) command.arguments.insert(command.arguments.end(), {"--port", std::to_string(*options.port)});
  command.output_file = options.home + "/brumed.log";
  auto process = start_detached(command);
  if (!process) return fail(process.error());
  const auto started = process_start_time(*process);
  const auto end = std::chrono::steady_clock::now() + daemon_patience;
  while (std::chrono::steady_clock::now() < end) {
    if (admin.daemon_runs()) {
      step.done("process " + std::to_string(*process) + ", log in " + command.output_file);
      return {};
    }
    if (!started || process_start_time(*process) != started)
      return fail(ErrorKind::broken, "brumed ended; the last it said (all of it is in " + command.output_file + "):\n" +
                                         read_file_tail(command.output_file, 800).value_or(""));
    std::this_thread::sleep_for(milliseconds(20));
  }
  return fail(ErrorKind::timed_out, "brumed does not answer; its log is " + command.output_file);
}

int up(const Options& options, const UpOptions& up_options) {
  auto lock = UpLock::take(options.home);
  if (!lock) return complain(lock.error());
  if (auto started = start_daemon(options); !started) return complain(started.error());
  const AdminClient admin(options.home);
  auto status = admin.get("/status");
  if (!status) return complain(status.error());
  auto image = provide_image(admin, up_options.image);
  if (!image) return complain(image.error());
  auto credentials = admin.credentials({});
  if (!credentials) return complain(credentials.error());
  const SystemClock clock;
  const auto endpoint = text(*status, "endpoint");
  const Ec2Client ec2(endpoint, endpoint.starts_with("https") ? options.home + "/tls/certificate.pem" : "", text(*status, "region"),
                      *credentials, clock);
  auto key = provide_key(ec2, options.home);
  if (!key) return complain(key.error());
  if (auto opened = open_ssh(ec2); !opened) return complain(opened.error());
  auto instance = provide_instance(ec2, *image);
  if (!instance) return complain(instance.error());
  auto ready = wait_for_ssh(ec2, instance->id);
  if (!ready) return complain(ready.error());
  show_result(options, *status, *ready, *key, up_options.image == "debian-12" ? "admin" : "ec2-user");
  if (!up_options.all_images) return 0;
  // The other starter images are built while this instance is already in use.
  for (const char* recipe : {"tiny", "debian-12"}) {
    if (recipe == up_options.image) continue;
    auto later = provide_image_later(admin, recipe);
    if (!later) return complain(later.error());
    if (*later)
      std::printf("The image %s is being built in the background, for some minutes; '%s status' shows how far it is.\n\n", recipe,
                  command_for(options).c_str());
  }
  return 0;
}

int down(const Options& options) {
  if (!path_exists(options.home)) {
    std::printf("No Brume runs on %s.\n", options.home.c_str());
    return 0;
  }
  auto lock = UpLock::take(options.home);
  if (!lock) return complain(lock.error());
  const AdminClient admin(options.home);
  auto status = admin.get("/status");
  if (!status) return end_what_is_left(options);
  Step step("stopping the machines and the cloud");
  const auto process = static_cast<pid_t>(status->at("pid").as_int64());
  const auto started = process_start_time(process);
  if (auto asked = admin.post("/shut-down", json::object{{"machines", true}}); !asked) return complain(asked.error());
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  while (process_start_time(process) == started && started) {
    if (std::chrono::steady_clock::now() > end) return complain("the daemon does not end; its log is " + options.home + "/brumed.log");
    std::this_thread::sleep_for(milliseconds(50));
  }
  step.done();
  return 0;
}

}  // namespace brume::cli
