#include "service/audit_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.hpp"
#include "base/text.hpp"

namespace brume::service {
namespace {

using testing::HasSubstr;
using testing::Not;

class AuditStream : public testing::Test {
 protected:
  AuditStream() {
    std::string name = "/tmp/brume-audit-test-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~AuditStream() override { std::filesystem::remove_all(folder_); }

  static AuditEvent launch() {
    AuditEvent event;
    event.time = Time(milliseconds(1'322'000'000'123));
    event.request_id = "r-1", event.region = "us-east-1", event.account = "123456789012";
    event.principal = "arn:aws:iam::123456789012:root", event.access_key_id = "AKIAEXAMPLE";
    event.service = "ec2", event.action = "RunInstances", event.version = "2016-11-15", event.source = "127.0.0.1";
    event.status = 200;
    return event;
  }
  std::vector<std::string> lines() const {
    const auto text = read_file(folder_ + "/audit.jsonl").value_or("");
    std::vector<std::string> all;
    for (const auto line : split(text, '\n'))
      if (!line.empty()) all.emplace_back(line);
    return all;
  }

  std::string folder_;
};

TEST_F(AuditStream, AnEventIsALine) {
  auto log = *AuditLog::open(folder_);
  log->add(launch());
  log->flush();
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_EQ(lines()[0],
            R"({"time":"2011-11-22T22:13:20.123Z","requestId":"r-1","region":"us-east-1","account":"123456789012",)"
            R"("principal":"arn:aws:iam::123456789012:root","accessKeyId":"AKIAEXAMPLE","service":"ec2","action":"RunInstances",)"
            R"("version":"2016-11-15","source":"127.0.0.1","status":200,"read":false})");
  struct stat info {};
  ASSERT_EQ(::stat((folder_ + "/audit.jsonl").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(AuditStream, ReadsAreInItOnlyIfTheyFailOrAreWanted) {
  auto read = launch();
  read.action = "DescribeInstances", read.is_read = true;
  auto refused = read;
  refused.status = 401, refused.error = "AuthFailure";
  {
    auto log = *AuditLog::open(folder_);
    log->add(read);
    log->add(refused);
  }
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_THAT(lines()[0], HasSubstr(R"("error":"AuthFailure")"));
  AuditSettings settings;
  settings.reads = true;
  auto log = *AuditLog::open(folder_, settings);
  log->add(read);
  log->flush();
  EXPECT_EQ(lines().size(), 2U);  // and the file goes on after a restart
}

TEST_F(AuditStream, WhatAClientSendsCannotMakeALineOfItsOwn) {
  auto event = launch();
  event.action = "x\"}\n{\"status\":200}";
  auto log = *AuditLog::open(folder_);
  log->add(event);
  log->flush();
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_THAT(lines()[0], Not(HasSubstr("{\"status\"")));
}

TEST_F(AuditStream, NobodyFillsItWithOneRequest) {
  auto event = launch();
  event.action = std::string_view();
  const std::string endless(1 << 20, 'x');
  event.version = endless;
  event.service = "caf\xe9";  // no UTF-8
  auto log = *AuditLog::open(folder_);
  log->add(event);
  log->flush();
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_LT(lines()[0].size(), 1000U);
  EXPECT_THAT(lines()[0], HasSubstr(R"("service":"caf?")"));
}

TEST_F(AuditStream, FilesAreRenamedAtTheirLimitAndTheOldestGo) {
  AuditSettings settings;
  settings.file_bytes = 1;
  settings.files = 3;
  auto log = *AuditLog::open(folder_, settings);
  for (int i = 0; i < 6; ++i) {
    auto event = launch();
    event.status = 200 + i;
    log->add(event);
    log->flush();
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) names.push_back(entry.path().filename());
  EXPECT_EQ(names.size(), 3U);
  ASSERT_EQ(lines().size(), 1U);
  EXPECT_THAT(lines()[0], HasSubstr("\"status\":205"));
  std::sort(names.begin(), names.end());
  EXPECT_THAT(read_file(folder_ + "/" + names[0]).value_or(""), HasSubstr("\"status\":203"));
}

TEST_F(AuditStream, WhatTheDiskDoesNotTakeWaitsAndIsCountedBeyondItsBound) {
  std::filesystem::create_symlink("/dev/full", folder_ + "/audit.jsonl");
  AuditSettings settings;
  settings.waiting_bytes = 1000;
  std::uint64_t lost = 0;
  {
    auto log = *AuditLog::open(folder_, settings);
    log->add(launch());
    log->flush();  // tried once
    for (int i = 0; i < 20; ++i) log->add(launch());
    lost = log->lost();
  }
  EXPECT_GE(lost, 15U);
  EXPECT_LE(lost, 19U);
}

TEST_F(AuditStream, AFolderThatCannotBeIsToldAtTheStart) {
  ASSERT_TRUE(write_file(folder_ + "/file", ""));
  EXPECT_FALSE(AuditLog::open(folder_ + "/file/audit"));
}

}  // namespace
}  // namespace brume::service
