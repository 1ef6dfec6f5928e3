// How a guest learns the name that a disk was attached under (STO-031, STO-032). The serial holds the volume's id and has no room for
// more, so the name travels as a number: the disk's ACPI index, which Linux shows beside the disk as `acpi_index`, hot-plugged or not.
// images/lib/device-name translates it back and links /dev/sdf and /dev/xvdf to the disk. Other guests ignore it.
//
//   1 + 16 * letter + digit          /dev/sdX, /dev/xvdX, /dev/xvdXY; letters a to z are 0 to 25, aa to zz 26 to 701; no digit: 0
//   12001 + 16 * letter + digit      /dev/hdX
#pragma once

#include <string_view>

namespace brume::compute {

// 0: a name that has no number. "/dev/sdf", "sdf" and "xvdf" have the same number: the guest finds the disk under any of them.
int disk_number(std::string_view device);

}  // namespace brume::compute
