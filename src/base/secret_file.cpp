#include "base/secret_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace brume {

Result<Descriptor> make_secret_file(std::string_view secret) {
  Descriptor file(::memfd_create("secret", MFD_CLOEXEC));
  if (!file) return fail_system("cannot make a file in memory", errno);
  if (::write(file.get(), secret.data(), secret.size()) != static_cast<ssize_t>(secret.size()))
    return fail_system("cannot write to a file in memory", errno);
  return file;
}

}  // namespace brume
