// All that a host's and its VPCs' networks are, as text, so that two of them can be compared: names of namespaces, links, addresses,
// routes, rules, neighbours, packet filters, options, the engine's files, its name servers. What is by chance (numbers, generated hardware
// addresses, the order of sets) is left out.
#pragma once

#include <string>
#include <vector>

namespace brume::network::test {

// Of the host and of every namespace whose name begins with "brume-"; and of all files below these folders.
std::string kernel_picture(const std::vector<std::string>& folders);

// The lines that only one of them has: "- gone", "+ came". Empty: the same.
std::string difference(const std::string& wanted, const std::string& found);

}  // namespace brume::network::test
