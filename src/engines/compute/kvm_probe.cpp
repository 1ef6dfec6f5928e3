// Finds out whether /dev/kvm runs an ordinary guest. Its existence is not enough: on nested and paravirtual hosts QEMU starts with it and
// then hangs or misbehaves. So firmware and a boot sector are really run, from real mode through protected to long mode.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/files.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "engines/compute/hypervisor.hpp"

namespace brume::compute {
namespace {

constexpr auto probe_limit = seconds(5);
constexpr int expected_status = 0x2a << 1 | 1;  // the exit status that isa-debug-exit turns 0x2a into

// Loaded at 0x7c00: builds page tables at 0x1000, enters long mode, adds 64-bit numbers and writes 0x2a to port 0xf4 if the sum is right.
constexpr std::array<unsigned char, 174> boot_code = {
    0xfa,                                                        // cli
    0x31, 0xc0,                                                  // xor %ax,%ax
    0x8e, 0xd8,                                                  // mov %ax,%ds
    0x8e, 0xc0,                                                  // mov %ax,%es
    0x8e, 0xd0,                                                  // mov %ax,%ss
    0xbc, 0x00, 0x7c,                                            // mov $0x7c00,%sp
    0xfc,                                                        // cld
    0xbf, 0x00, 0x10,                                            // mov $0x1000,%di
    0x66, 0x31, 0xc0,                                            // xor %eax,%eax
    0xb9, 0x00, 0x0c,                                            // mov $0xc00,%cx
    0x66, 0xf3, 0xab,                                            // rep stos %eax,%es:(%di)
    0x66, 0xc7, 0x06, 0x00, 0x10, 0x03, 0x20, 0x00, 0x00,        // movl $0x2003,0x1000
    0x66, 0xc7, 0x06, 0x00, 0x20, 0x03, 0x30, 0x00, 0x00,        // movl $0x3003,0x2000
    0x66, 0xc7, 0x06, 0x00, 0x30, 0x83, 0x00, 0x00, 0x00,        // movl $0x83,0x3000
    0x66, 0xb8, 0x00, 0x10, 0x00, 0x00,                          // mov $0x1000,%eax
    0x0f, 0x22, 0xd8,                                            // mov %eax,%cr3
    0x0f, 0x20, 0xe0,                                            // mov %cr4,%eax
    0x0c, 0x20,                                                  // or $0x20,%al
    0x0f, 0x22, 0xe0,                                            // mov %eax,%cr4
    0x66, 0xb9, 0x80, 0x00, 0x00, 0xc0,                          // mov $0xc0000080,%ecx
    0x0f, 0x32,                                                  // rdmsr
    0x80, 0xcc, 0x01,                                            // or $0x1,%ah
    0x0f, 0x30,                                                  // wrmsr
    0x66, 0x0f, 0x01, 0x16, 0xa8, 0x7c,                          // lgdtl 0x7ca8
    0x0f, 0x20, 0xc0,                                            // mov %cr0,%eax
    0x66, 0x0d, 0x01, 0x00, 0x00, 0x80,                          // or $0x80000001,%eax
    0x0f, 0x22, 0xc0,                                            // mov %eax,%cr0
    0x66, 0xea, 0x6c, 0x7c, 0x00, 0x00, 0x08, 0x00,              // ljmpl $0x8,$0x7c6c
    0x31, 0xc0,                                                  // xor %eax,%eax
    0x48, 0xbb, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,  // movabs $0x100000000,%rbx
    0xb9, 0xe8, 0x03, 0x00, 0x00,                                // mov $0x3e8,%ecx
    0x48, 0x01, 0xd8,                                            // add %rbx,%rax
    0xff, 0xc9,                                                  // dec %ecx
    0x75, 0xf9,                                                  // jne 7d
    0x48, 0xc1, 0xe8, 0x20,                                      // shr $0x20,%rax
    0x3d, 0xe8, 0x03, 0x00, 0x00,                                // cmp $0x3e8,%eax
    0x75, 0x04,                                                  // jne 93
    0xb0, 0x2a,                                                  // mov $0x2a,%al
    0xe6, 0xf4,                                                  // out %al,$0xf4
    0xf4,                                                        // hlt
    0xeb, 0xfd, 0x66, 0x90,                                      // jmp 93; nop
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,              // descriptors: none,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x9a, 0x20, 0x00,              // 64-bit code
    0x0f, 0x00, 0x98, 0x7c, 0x00, 0x00,                          // their table: 16 bytes at 0x7c98
};

std::string boot_sector() {
  std::string sector(512, '\0');
  for (size_t i = 0; i < boot_code.size(); ++i) sector[i] = static_cast<char>(boot_code[i]);
  sector[510] = '\x55';
  sector[511] = '\xaa';
  return sector;
}

// The verdict holds for this boot of this kernel, and this QEMU.
std::string circumstances() {
  std::string text;
  for (const auto* path : {"/proc/version", "/proc/sys/kernel/random/boot_id"})
    text += std::string(trim(read_file(path).value_or("?"))) + " | ";
  for (const auto* path : {"/usr/local/bin/qemu-system-x86_64", "/usr/bin/qemu-system-x86_64"}) {
    struct stat status {};
    if (::stat(path, &status) == 0) text += std::to_string(status.st_mtim.tv_sec) + " ";
  }
  return text;
}

KvmProbe boot(const std::string& scratch_folder) {
  const std::string image = "kvm-probe.image";
  if (auto written = write_file(scratch_folder + "/" + image, boot_sector()); !written)
    return {false, "KVM was not tried: " + written.error().message};
  Command command;
  command.program = "qemu-system-x86_64";
  command.folder = scratch_folder;
  command.arguments = {"-nodefaults", "-no-user-config",
                       "-display",    "none",
                       "-accel",      "kvm",
                       "-cpu",        "host",
                       "-m",          "32",
                       "-sandbox",    "on",
                       "-device",     "isa-debug-exit,iobase=0xf4,iosize=4",
                       "-drive",      "if=ide,format=raw,file=" + image};
  const auto output = run(command, probe_limit);
  ::unlink((scratch_folder + "/" + image).c_str());
  if (!output && output.error().kind == ErrorKind::timed_out)
    return {false, "this host offers KVM, but a test guest hung for " + std::to_string(probe_limit.count()) + " s under it"};
  if (!output) return {false, "KVM was not tried: " + output.error().message};
  if (output->status == expected_status) return {true, "a test guest ran"};
  auto said = std::string(trim(output->errors)).substr(0, 300);
  for (auto& c : said)
    if (c == '\n') c = ' ';
  return {false, "this host offers KVM, but a test guest did not run under it (status " + std::to_string(output->status) +
                     (said.empty() ? "" : ": " + said) + ")"};
}

}  // namespace

KvmProbe probe_kvm(const std::string& scratch_folder) {
  const int device = ::open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (device < 0)
    return {false, errno == ENOENT
                       ? "this host has no KVM (/dev/kvm): switch on virtualization in its firmware, or nested virtualization if "
                         "it is a virtual machine itself"
                       : "/dev/kvm cannot be opened"};
  ::close(device);
  const auto kept = scratch_folder + "/kvm-probe";
  const auto now = circumstances();
  if (const auto text = read_file(kept, 64 << 10)) {
    const auto lines = split(*text, '\n');
    if (lines.size() >= 3 && lines[0] == now && (lines[1] == "works" || lines[1] == "fails"))
      return {lines[1] == "works", std::string(lines[2])};
  }
  auto probe = boot(scratch_folder);
  [[maybe_unused]] const auto written = write_file(kept, now + "\n" + (probe.works ? "works" : "fails") + "\n" + probe.reason + "\n");
  return probe;
}

}  // namespace brume::compute
