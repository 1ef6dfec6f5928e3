// The public EC2 API as any client calls it, signed with version 4: anybody can do what 'brume up' does.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "cli/credentials.hpp"

namespace brume::cli {

// The document of an answer, addressed by element names: "reservationSet/item/instancesSet/item/instanceId".
class Document {
 public:
  Document();
  explicit Document(const std::string& text);
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();

  // The text of the first element at that path; empty if there is none.
  std::string text(const std::string& path) const;
  // The texts of `leaf` in every element at `path`.
  std::vector<std::string> texts(const std::string& path, const std::string& leaf) const;

 private:
  struct Tree;
  std::unique_ptr<Tree> tree_;
};

class Ec2Client {
 public:
  // `endpoint`: "http://127.0.0.1:8773". `authorities`: see call_endpoint.
  Ec2Client(std::string endpoint, std::string authorities, std::string region, Credentials credentials, const Clock& clock);

  using Parameters = std::vector<std::pair<std::string, std::string>>;
  // An EC2 error is `refused`, with the message "Code: sentence".
  Result<Document> call(const std::string& action, Parameters parameters) const;

 private:
  std::string endpoint_;
  std::string authorities_;
  std::string region_;
  Credentials credentials_;
  const Clock& clock_;
};

}  // namespace brume::cli
