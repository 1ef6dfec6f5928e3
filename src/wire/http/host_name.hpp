// What the name in a Host header says: the bucket of a virtual host, and the labels of the endpoint behind it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace brume::wire {

struct HostName {
  // "my.bucket" of "my.bucket.s3.eu-west-1.example.com"; empty: there is none.
  std::string bucket;
  // Of the rest, in lower case and without the port: "s3", "eu-west-1", "example", "com". "s3-eu-west-1" stands as "s3", "eu-west-1".
  // One label when the host is an address.
  std::vector<std::string> labels;

  // Whether the endpoint is one of this region. A bucket that is called like a region is none.
  bool names_region(std::string_view region) const;
};

// The bucket is what stands before the last label "s3" (or "s3-REGION"): names of buckets may have dots and any labels.
HostName read_host(std::string_view host);

}  // namespace brume::wire
