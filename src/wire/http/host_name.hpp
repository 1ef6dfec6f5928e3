// The parts of the name in a Host header: the bucket of a virtual host, and the labels of the endpoint after it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace brume::wire {

struct HostName {
  // "my.bucket" in "my.bucket.s3.eu-west-1.example.com"; empty: there is none.
  std::string bucket;
  // The labels of the rest, in lower case and without the port: "s3", "eu-west-1", "example", "com". "s3-eu-west-1" becomes "s3",
  // "eu-west-1". One label if the host is an address.
  std::vector<std::string> labels;

  // Whether the endpoint belongs to this region. A bucket named like a region does not count.
  bool names_region(std::string_view region) const;
};

// The bucket is everything before the last label "s3" (or "s3-REGION"), because bucket names may contain dots and any labels.
HostName read_host(std::string_view host);

}  // namespace brume::wire
