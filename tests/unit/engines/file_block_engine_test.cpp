// The file engine with real qemu-img, in a folder of its own.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <utility>

#include "base/files.hpp"
#include "base/process.hpp"
#include "block_fixture.hpp"
#include "engines/block/image_import.hpp"
#include "engines/block/qcow2_header.hpp"

namespace brume::block {
namespace {

class FileBlockEngineTest : public BlockFixture {
 protected:
  std::string file(const std::string& name) const { return folder_ + "/" + name; }
  static void qemu_img(std::vector<std::string> arguments) {
    Command command;
    command.program = "qemu-img";
    command.arguments = std::move(arguments);
    const auto output = run_checked(command);
    ASSERT_TRUE(output) << output.error().message;
  }
  // A raw image of 4 MiB with something in it.
  std::string raw_image() const {
    std::string content(4 * mib, '\0');
    content.replace(2 * mib, 5, "brume");
    EXPECT_TRUE(write_file(file("disk.raw"), content));
    return file("disk.raw");
  }
  std::string read_back(const std::string& image) const {
    qemu_img({"convert", "-O", "raw", image, file("back.raw")});
    return read_file(file("back.raw"), 64 * mib).value_or("");
  }
  Error refusal(const std::string& image) const {
    const auto imported = blocks_->import_snapshot("snap-1", image, {});
    EXPECT_FALSE(imported);
    EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/blocks/snapshots"));
    EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/blocks/layers"));
    return imported ? Error{} : imported.error();
  }
  Swept sweep(const std::function<bool(const std::string&)>& known, Time now = {}) const {
    auto swept = blocks_->sweep(known, now, std::chrono::days(30));
    EXPECT_TRUE(swept) << swept.error().message;
    return swept.value_or(Swept{});
  }
  static unsigned mode_of(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777U : 0U;
  }
};

TEST_F(FileBlockEngineTest, MakesAndRemovesAnEmptyVolume) {
  ASSERT_TRUE(blocks_->create("vol-1", 8ULL << 30, ""));
  const auto usage = blocks_->usage("vol-1");
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->virtual_bytes, 8ULL << 30);
  EXPECT_LT(usage->allocated_bytes, mib);
  EXPECT_EQ(blocks_->create("vol-1", mib, "").error().kind, ErrorKind::exists);
  EXPECT_EQ(mode_of(file_of("volumes/vol-1")), 0600U);
  EXPECT_TRUE(blocks_->remove_volume("vol-1"));
  EXPECT_TRUE(blocks_->remove_volume("vol-1"));
  EXPECT_EQ(blocks_->usage("vol-1").error().kind, ErrorKind::not_found);
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/blocks/volumes"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/blocks/layers"));
}

TEST_F(FileBlockEngineTest, ImportsEveryFormat) {
  const auto raw = raw_image();
  const auto content = *read_file(raw);
  int number = 0;
  for (const std::vector<std::string>& how : {std::vector<std::string>{"raw"},
                                              {"qcow2"},
                                              {"qcow2", "-c"},
                                              {"vmdk"},
                                              {"vmdk", "-o", "subformat=streamOptimized"},
                                              {"vpc"},
                                              {"vpc", "-o", "subformat=fixed,force_size=on"},
                                              {"vhdx"}}) {
    const auto image = file("image");
    std::vector<std::string> arguments = {"convert", "-f", "raw", "-O", how[0]};
    arguments.insert(arguments.end(), how.begin() + 1, how.end());
    arguments.insert(arguments.end(), {raw, image});
    qemu_img(arguments);
    const auto id = "snap-" + std::to_string(++number);
    std::vector<int> told;
    const auto bytes = blocks_->import_snapshot(id, image, [&](int percent) { told.push_back(percent); });
    ASSERT_TRUE(bytes) << how[0] << ": " << bytes.error().message;
    EXPECT_GE(*bytes, content.size());
    EXPECT_LE(*bytes, content.size() + mib) << how[0];
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.back(), 100);
    const auto made = file_of("snapshots/" + id);
    EXPECT_EQ(mode_of(made), 0444U);
    EXPECT_EQ(read_back(made).substr(0, content.size()), content) << how[0];
    std::filesystem::remove(image);
  }
}

TEST_F(FileBlockEngineTest, RefusesAnImageThatNamesAnotherFile) {
  raw_image();
  qemu_img({"create", "-q", "-f", "qcow2", "-F", "raw", "-b", file("disk.raw"), file("overlay.qcow2")});
  const auto overlay = refusal(file("overlay.qcow2"));
  EXPECT_EQ(overlay.kind, ErrorKind::invalid);
  EXPECT_NE(overlay.message.find("overlay"), std::string::npos) << overlay.message;
  // Also when what it names is not there.
  qemu_img({"create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", "/etc/shadow-not-there", file("dangling.qcow2"), "1M"});
  EXPECT_EQ(refusal(file("dangling.qcow2")).kind, ErrorKind::invalid);
  qemu_img({"create", "-q", "-f", "qcow2", "-o", "data_file=" + file("data"), file("external.qcow2"), "1M"});
  EXPECT_EQ(refusal(file("external.qcow2")).kind, ErrorKind::invalid);
  qemu_img({"create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", file("flat.vmdk"), "1M"});
  EXPECT_EQ(refusal(file("flat.vmdk")).kind, ErrorKind::invalid);
}

// Of the file's bytes the first so many in a hundred.
std::string cut_off(const std::string& whole, int percent) { return whole.substr(0, whole.size() * static_cast<size_t>(percent) / 100); }

std::string little_endian(std::uint64_t number, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(number >> 8 * i & 0xffU);
  return bytes;
}

TEST_F(FileBlockEngineTest, RefusesAnImageWhoseEndIsMissing) {
  // Most of it does not compress.
  std::string content(6 * mib, '\0');
  std::uint32_t number = 1;
  for (size_t i = mib; i < content.size(); ++i) content[i] = static_cast<char>((number = number * 1664525 + 1013904223) >> 24);
  ASSERT_TRUE(write_file(file("random.raw"), content));
  int imported = 0;
  for (const std::vector<std::string>& how : {std::vector<std::string>{"qcow2"},
                                              {"qcow2", "-c"},
                                              {"qcow2", "-o", "cluster_size=512"},
                                              {"qcow2", "-o", "extended_l2=on,cluster_size=128k"},
                                              {"qcow2", "-o", "compat=0.10"},
                                              {"vmdk"},
                                              {"vmdk", "-o", "subformat=streamOptimized"},
                                              {"vpc"},
                                              {"vhdx"}}) {
    std::vector<std::string> arguments = {"convert", "-f", "raw", "-O", how[0]};
    arguments.insert(arguments.end(), how.begin() + 1, how.end());
    arguments.insert(arguments.end(), {file("random.raw"), file("whole")});
    qemu_img(arguments);
    const auto whole = *read_file(file("whole"), 64 * mib);
    for (const int percent : {99, 70, 30}) {
      ASSERT_TRUE(write_file(file("cut"), cut_off(whole, percent)));
      const auto error = refusal(file("cut"));
      EXPECT_EQ(error.kind, ErrorKind::invalid) << how.back() << " " << percent;
    }
    const auto bytes = blocks_->import_snapshot("snap-" + std::to_string(++imported), file("whole"), {});
    ASSERT_TRUE(bytes) << how.back() << ": " << bytes.error().message;
    EXPECT_EQ(read_back(file_of("snapshots/snap-" + std::to_string(imported))).substr(0, 6 * mib), content.substr(0, 6 * mib))
        << how.back();
    ASSERT_TRUE(blocks_->remove_snapshot("snap-" + std::to_string(imported)));
    std::filesystem::remove(file("whole"));
  }
}

// Of its last cluster, and of its last grain, there are a few sectors.
TEST_F(FileBlockEngineTest, TakesADiskOfAnOddSize) {
  std::string content(mib + 1536, 'o');
  ASSERT_TRUE(write_file(file("odd.raw"), content));
  for (const std::string format : {"qcow2", "vmdk", "vhdx"}) {
    qemu_img({"convert", "-f", "raw", "-O", format, file("odd.raw"), file("odd")});
    const auto bytes = blocks_->import_snapshot("snap-" + format, file("odd"), {});
    ASSERT_TRUE(bytes) << format << ": " << bytes.error().message;
    EXPECT_TRUE(read_back(file_of("snapshots/snap-" + format)).starts_with(content)) << format;
  }
}

TEST_F(FileBlockEngineTest, SaysWhatIsMissing) {
  raw_image();
  qemu_img({"convert", "-f", "raw", "-O", "qcow2", file("disk.raw"), file("whole.qcow2")});
  ASSERT_TRUE(write_file(file("cut.qcow2"), cut_off(*read_file(file("whole.qcow2")), 70)));
  EXPECT_NE(refusal(file("cut.qcow2")).message.find("is damaged: its end is missing"), std::string::npos);
}

TEST_F(FileBlockEngineTest, RefusesAFixedVhdOfAWrongLength) {
  raw_image();
  qemu_img({"convert", "-f", "raw", "-O", "vpc", "-o", "subformat=fixed,force_size=on", file("disk.raw"), file("whole.vhd")});
  auto vhd = *read_file(file("whole.vhd"));
  vhd.erase(mib, 64 << 10);  // its footer is there
  ASSERT_TRUE(write_file(file("short.vhd"), vhd));
  EXPECT_NE(refusal(file("short.vhd")).message.find("its end is missing"), std::string::npos);
}

TEST_F(FileBlockEngineTest, RefusesARawDiskThatEndsBeforeItsPartitions) {
  std::string disk(4 * mib, '\0');
  disk[510] = '\x55';
  disk[511] = '\xaa';
  // From the first MiB to the end of the fourth.
  disk.replace(446, 16, std::string("\x80\0\0\0\x83\0\0\0", 8) + little_endian(2048, 4) + little_endian(3 * 2048, 4));
  ASSERT_TRUE(write_file(file("whole.raw"), disk));
  ASSERT_TRUE(write_file(file("cut.raw"), disk.substr(0, 3 * mib)));
  EXPECT_NE(refusal(file("cut.raw")).message.find("its end is missing"), std::string::npos);
  EXPECT_TRUE(blocks_->import_snapshot("snap-mbr", file("whole.raw"), {}));
  // With a GPT the one partition of the MBR is there for show.
  disk.replace(446, 16, std::string("\0\0\0\0\xee\0\0\0", 8) + little_endian(1, 4) + little_endian(0xffffffff, 4));
  disk.replace(512, 8, "EFI PART");
  disk.replace(512 + 32, 8, little_endian(4 * 2048 - 1, 8));
  ASSERT_TRUE(write_file(file("whole.raw"), disk));
  ASSERT_TRUE(blocks_->import_snapshot("snap-gpt", file("whole.raw"), {}));
  ASSERT_TRUE(blocks_->remove_snapshot("snap-gpt"));
  ASSERT_TRUE(blocks_->remove_snapshot("snap-mbr"));
  ASSERT_TRUE(write_file(file("cut.raw"), disk.substr(0, 3 * mib)));
  EXPECT_NE(refusal(file("cut.raw")).message.find("its end is missing"), std::string::npos);
  // The program of a boot sector, where a disk without partitions has it, is no table.
  disk.replace(446, 64, std::string(64, 'p'));
  disk.replace(512, 8, 8, '\0');
  ASSERT_TRUE(write_file(file("whole.raw"), disk));
  EXPECT_TRUE(blocks_->import_snapshot("snap-boot", file("whole.raw"), {}));
}

TEST_F(FileBlockEngineTest, RefusesTablesThatContradictEachOther) {
  raw_image();
  qemu_img({"convert", "-f", "raw", "-O", "qcow2", file("disk.raw"), file("torn.qcow2")});
  auto image = *read_file(file("torn.qcow2"));
  // Of no cluster it is counted that it is used, as after a crash of who wrote it.
  image.replace(2 << 16, 1 << 16, 1 << 16, '\0');
  ASSERT_TRUE(write_file(file("torn.qcow2"), image));
  const auto error = refusal(file("torn.qcow2"));
  EXPECT_EQ(error.kind, ErrorKind::invalid);
  EXPECT_NE(error.message.find("qemu-img check -r all"), std::string::npos) << error.message;
}

TEST_F(FileBlockEngineTest, RefusesWhatIsNoDisk) {
  ASSERT_TRUE(write_file(file("text"), "hello"));
  EXPECT_EQ(refusal(file("text")).kind, ErrorKind::invalid);
  ASSERT_TRUE(write_file(file("disk.gz"), "\x1f\x8b" + std::string(1022, 'x')));
  EXPECT_NE(refusal(file("disk.gz")).message.find("gzip"), std::string::npos);
  ASSERT_TRUE(write_file(file("torn.qcow2"), "QFI\xfb" + std::string(508, '\xff')));
  EXPECT_EQ(refusal(file("torn.qcow2")).kind, ErrorKind::invalid);
  ASSERT_TRUE(write_file(file("empty"), ""));
  EXPECT_EQ(refusal(file("empty")).kind, ErrorKind::invalid);
  EXPECT_EQ(refusal(file("absent")).kind, ErrorKind::not_found);
  EXPECT_EQ(refusal(folder_).kind, ErrorKind::invalid);
  qemu_img({"create", "-q", "-f", "vdi", file("disk.vdi"), "1M"});
  EXPECT_EQ(refusal(file("disk.vdi")).kind, ErrorKind::invalid);
}

TEST(JudgeImage, SurvivesAnyAnswer) {
  EXPECT_EQ(judge_image("/x", "").error().kind, ErrorKind::broken);
  EXPECT_EQ(judge_image("/x", "[]").error().kind, ErrorKind::broken);
  EXPECT_FALSE(judge_image("/x", R"({"format":7})"));
  EXPECT_FALSE(judge_image("/x", R"({"format":"raw","virtual-size":-1})"));
  EXPECT_FALSE(judge_image("/x", R"({"format":"vmdk","virtual-size":512,"format-specific":{"data":{"extents":[7]}}})"));
  EXPECT_FALSE(judge_image("/x", R"({"format":"qcow2","virtual-size":9223372036854775807})"));
  EXPECT_TRUE(judge_image("/x", R"({"format":"raw","virtual-size":512,"format-specific":null})"));
}

TEST_F(FileBlockEngineTest, ClonesShareTheSnapshotAndKeepTheirOwnBytes) {
  const auto content = *read_file(raw_image());
  ASSERT_TRUE(blocks_->import_snapshot("snap-1", file("disk.raw"), {}));
  ASSERT_TRUE(blocks_->clone("vol-1", "snap-1", 0, ""));
  ASSERT_TRUE(blocks_->clone("vol-2", "snap-1", 64 * mib, ""));
  EXPECT_EQ(blocks_->clone("vol-2", "snap-1", 0, "").error().kind, ErrorKind::exists);
  EXPECT_EQ(blocks_->clone("vol-3", "snap-2", 0, "").error().kind, ErrorKind::not_found);
  EXPECT_EQ(blocks_->usage("vol-1")->virtual_bytes, 4 * mib);
  EXPECT_EQ(blocks_->usage("vol-2")->virtual_bytes, 64 * mib);
  Command io;
  io.program = "qemu-io";
  io.arguments = {"-c", "write -P 65 0 512", file_of("volumes/vol-1")};
  ASSERT_TRUE(run_checked(io));
  EXPECT_EQ(read_back(file_of("volumes/vol-1")).substr(0, 512), std::string(512, 'A'));
  EXPECT_EQ(read_back(file_of("volumes/vol-2")).substr(0, content.size()), content);

  // The folder can be moved with everything in it.
  blocks_.reset();
  std::filesystem::rename(folder_ + "/blocks", folder_ + "/elsewhere");
  std::filesystem::create_directory(folder_ + "/new");
  std::filesystem::rename(folder_ + "/elsewhere", folder_ + "/new/blocks");
  EXPECT_EQ(read_back(std::filesystem::canonical(folder_ + "/new/blocks/volumes/vol-2").string()).substr(0, content.size()), content);
}

TEST_F(FileBlockEngineTest, WhatASnapshotHoldsStaysWhileAVolumeStandsOnIt) {
  const auto content = *read_file(raw_image());
  ASSERT_TRUE(blocks_->import_snapshot("snap-1", file("disk.raw"), {}));
  ASSERT_TRUE(blocks_->clone("vol-1", "snap-1", 0, ""));
  EXPECT_TRUE(blocks_->remove_snapshot("snap-1"));
  EXPECT_EQ(blocks_->clone("vol-2", "snap-1", 0, "").error().kind, ErrorKind::not_found);
  EXPECT_EQ(read_back(file_of("volumes/vol-1")), content);
  make();  // also known after a restart
  const auto swept = sweep([](const std::string& id) { return id == "vol-1"; });
  EXPECT_TRUE(swept.removed.empty() && swept.set_aside.empty());
  EXPECT_EQ(read_back(file_of("volumes/vol-1")), content);
  EXPECT_TRUE(blocks_->remove_volume("vol-1"));
  EXPECT_TRUE(std::filesystem::is_empty(folder_ + "/blocks/layers"));
  EXPECT_TRUE(blocks_->remove_snapshot("snap-1"));
}

TEST_F(FileBlockEngineTest, OpensForItsMachine) {
  ASSERT_TRUE(blocks_->create("vol-1", mib, ""));
  const unsigned user = ::geteuid() == 0 ? 0x60000001U : ::geteuid();
  const auto opened = blocks_->open("vol-1", user);
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ(opened->format, "qcow2");
  struct stat status {};
  ASSERT_EQ(::stat(opened->file.c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, user);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
  EXPECT_EQ(blocks_->open("vol-2", user).error().kind, ErrorKind::not_found);
}

TEST_F(FileBlockEngineTest, NamesThatLeadElsewhereAreRefused) {
  for (const auto* id : {"", "../vol-1", "vol/1", "vol.1", "-vol", "vol-1\n"}) {
    EXPECT_EQ(blocks_->clone(id, "snap-1", 0, "").error().kind, ErrorKind::invalid);
    EXPECT_EQ(blocks_->remove_volume(id).error().kind, ErrorKind::invalid);
    EXPECT_EQ(blocks_->create(id, mib, "").error().kind, ErrorKind::invalid) << id;
    EXPECT_EQ(blocks_->remove_snapshot(id).error().kind, ErrorKind::invalid);
    EXPECT_EQ(blocks_->open(id, 1).error().kind, ErrorKind::invalid);
    EXPECT_EQ(blocks_->import_boot_file(id, "/etc/hostname").error().kind, ErrorKind::invalid);
  }
}

TEST_F(FileBlockEngineTest, SweepsWhatIsNobodys) {
  raw_image();
  ASSERT_TRUE(blocks_->import_snapshot("snap-1", file("disk.raw"), {}));
  ASSERT_TRUE(blocks_->import_snapshot("snap-2", file("disk.raw"), {}));
  ASSERT_TRUE(blocks_->clone("vol-1", "snap-1", 0, ""));
  ASSERT_TRUE(blocks_->create("vol-2", mib, ""));
  ASSERT_TRUE(write_file(folder_ + "/blocks/volumes/vol-9.qcow2.part", "half"));
  ASSERT_TRUE(write_file(folder_ + "/blocks/snapshots/snap-9.qcow2.part.progress", "half"));
  ASSERT_TRUE(write_file(folder_ + "/blocks/volumes/notes.txt", "of the operator"));
  auto swept = sweep([](const std::string& id) { return id == "vol-1"; });
  std::sort(swept.removed.begin(), swept.removed.end());
  EXPECT_EQ(swept.removed, (std::vector<std::string>{"snap-9.qcow2.part.progress", "vol-9.qcow2.part"}));
  std::sort(swept.set_aside.begin(), swept.set_aside.end());
  EXPECT_EQ(swept.set_aside, (std::vector<std::string>{"snap-1", "snap-2", "vol-2"}));
  EXPECT_EQ(blocks_->usage("vol-2").error().kind, ErrorKind::not_found);
  EXPECT_TRUE(path_exists(folder_ + "/blocks/volumes/notes.txt"));
  EXPECT_TRUE(blocks_->usage("vol-1"));
}

TEST_F(FileBlockEngineTest, WhatWasSetAsideStaysForAWhileAndCanBePutBack) {
  const auto content = *read_file(raw_image());
  const auto known = [](const std::string& id) { return id == "vol-1"; };
  ASSERT_TRUE(blocks_->import_snapshot("snap-1", file("disk.raw"), {}));
  ASSERT_TRUE(blocks_->import_snapshot("snap-2", file("disk.raw"), {}));
  ASSERT_TRUE(blocks_->create("vol-1", mib, ""));
  const auto first_day = *parse_iso8601("2026-11-01T00:00:00Z");
  EXPECT_EQ(sweep(known, first_day).set_aside.size(), 2U);
  make();  // also known after a restart
  const auto names = [&] {
    std::vector<std::string> all;
    for (const auto& held : blocks_->aside()) all.push_back(held.id + (held.own_bytes > 0 ? "" : " has lost its file"));
    return all;
  };
  EXPECT_EQ(names(), (std::vector<std::string>{"snap-1@2026-11-01T00:00:00.000Z", "snap-2@2026-11-01T00:00:00.000Z"}));
  // What else goes takes nothing along.
  ASSERT_TRUE(blocks_->remove_volume("vol-1"));
  EXPECT_EQ(names().size(), 2U);
  std::filesystem::rename(folder_ + "/blocks/aside/snap-1@2026-11-01T00:00:00.000Z", folder_ + "/blocks/snapshots/snap-1");
  make();
  EXPECT_EQ(read_back(std::filesystem::canonical(folder_ + "/blocks/snapshots/snap-1").string()), content);
  const auto knows_it = [](const std::string& id) { return id == "snap-1"; };
  EXPECT_TRUE(sweep(knows_it, first_day + std::chrono::days(29)).removed.empty());
  EXPECT_EQ(sweep(knows_it, first_day + std::chrono::days(31)).removed,
            (std::vector<std::string>{"snap-2@2026-11-01T00:00:00.000Z", "layers/snap-2.1.qcow2"}));
  EXPECT_TRUE(names().empty());
}

TEST_F(FileBlockEngineTest, LostLinksAreNotTakenForLeftOverFiles) {
  raw_image();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(blocks_->import_snapshot("snap-" + std::to_string(i), file("disk.raw"), {}));
  for (int i = 1; i < 5; ++i) std::filesystem::remove(folder_ + "/blocks/snapshots/snap-" + std::to_string(i));
  make();
  const auto swept = blocks_->sweep([](const std::string&) { return true; }, Time{}, milliseconds(0));
  ASSERT_FALSE(swept);
  EXPECT_EQ(swept.error().kind, ErrorKind::broken);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ + "/blocks/layers"), {}), 5);
}

// A file of many GB takes seconds to go.
TEST_F(FileBlockEngineTest, NobodyWaitsForAFileThatGoes) {
  std::future<bool> other;
  bool in_between = false;
  make([&](std::string_view step) {
    if (step != "collect") return;
    other = std::async(std::launch::async,
                       [&] { return blocks_->create("vol-2", mib, "").has_value() && blocks_->open("vol-2", ::geteuid()); });
    in_between = other.wait_for(std::chrono::minutes(1)) == std::future_status::ready;
  });
  ASSERT_TRUE(blocks_->create("vol-1", mib, ""));
  ASSERT_TRUE(blocks_->remove_volume("vol-1"));
  EXPECT_TRUE(in_between);
  EXPECT_TRUE(other.get());
  EXPECT_TRUE(blocks_->usage("vol-2"));
}

// While its last file is being removed the volume comes anew: under a name that the removal does not take along.
TEST_F(FileBlockEngineTest, AVolumeThatComesAnewWhileItsFileGoesHasItsOwn) {
  bool once = false;
  make([&](std::string_view step) {
    if (step != "collect" || std::exchange(once, true)) return;
    EXPECT_TRUE(blocks_->create("vol-1", mib, ""));
  });
  ASSERT_TRUE(blocks_->create("vol-1", mib, ""));
  ASSERT_TRUE(blocks_->remove_volume("vol-1"));
  EXPECT_TRUE(std::filesystem::exists(file_of("volumes/vol-1")));
  EXPECT_TRUE(blocks_->open("vol-1", ::geteuid()));
}

TEST_F(FileBlockEngineTest, KeepsBootFiles) {
  ASSERT_TRUE(write_file(file("vmlinuz"), "kernel"));
  ASSERT_TRUE(blocks_->import_boot_file("aki-1", file("vmlinuz")));
  const auto path = blocks_->boot_file("aki-1");
  ASSERT_TRUE(path);
  EXPECT_EQ(*read_file(*path), "kernel");
  EXPECT_EQ(mode_of(*path), 0444U);
  EXPECT_EQ(blocks_->import_boot_file("aki-2", file("absent")).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(blocks_->remove_boot_file("aki-1"));
  EXPECT_EQ(blocks_->boot_file("aki-1").error().kind, ErrorKind::not_found);
}

TEST_F(FileBlockEngineTest, ACloneOfAHugeSnapshotIsAsQuickAsOfASmallOne) {
  qemu_img({"create", "-q", "-f", "qcow2", file("huge.qcow2"), "100G"});
  qemu_img({"create", "-q", "-f", "qcow2", file("small.qcow2"), "1G"});
  ASSERT_TRUE(blocks_->import_snapshot("snap-100", file("huge.qcow2"), {}));
  ASSERT_TRUE(blocks_->import_snapshot("snap-1", file("small.qcow2"), {}));
  const auto time = [&](const std::string& snapshot, int from) {
    auto best = milliseconds(1000000);
    for (int i = from; i < from + 5; ++i) {
      const auto begun = std::chrono::steady_clock::now();
      EXPECT_TRUE(blocks_->clone("vol-" + std::to_string(i), snapshot, 0, ""));
      best = std::min(best, std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begun));
    }
    return best;
  };
  const auto small = time("snap-1", 0);
  const auto huge = time("snap-100", 10);
  RecordProperty("clone_1_gib_ms", static_cast<int>(small.count()));
  RecordProperty("clone_100_gib_ms", static_cast<int>(huge.count()));
  EXPECT_LT(huge.count(), 2 * small.count() + 50);
}

TEST_F(FileBlockEngineTest, StoresComeFormatted) {
  constexpr std::uint64_t gib = 1ULL << 30;
  const auto uuid_of = [&](const char* id) {
    const auto start = blocks_->read(id, 1024, 512, "");
    EXPECT_TRUE(start);
    EXPECT_EQ(start->substr(0x38, 2), "\x53\xef") << "an ext file system";
    EXPECT_EQ(start->substr(0x5c, 1)[0] & 4, 4) << "with a journal";
    EXPECT_EQ(start->substr(0x60, 4), std::string("\x02\0\0\0", 4)) << "and nothing that ext3 does not know";
    return start->substr(0x68, 16);
  };
  ASSERT_TRUE(blocks_->create_store("i-1-ephemeral0", 150 * gib, StoreContent::ext3, "ephemeral0"));
  ASSERT_TRUE(blocks_->create_store("i-1-ephemeral1", 150 * gib, StoreContent::ext3, "ephemeral1"));
  ASSERT_TRUE(blocks_->create_store("i-1-swap", gib, StoreContent::swap, "swap"));
  EXPECT_EQ(blocks_->create_store("i-1-swap", gib, StoreContent::swap, "swap").error().kind, ErrorKind::exists);
  EXPECT_NE(uuid_of("i-1-ephemeral0"), uuid_of("i-1-ephemeral1"));
  EXPECT_EQ(blocks_->read("i-1-swap", 3584, 512, "")->substr(502), "SWAPSPACE2");
  EXPECT_EQ(blocks_->usage("i-1-ephemeral0")->virtual_bytes, 150 * gib);
  // What was formatted once serves the next, also after a restart; what it has is its own.
  make();
  EXPECT_TRUE(sweep([](const std::string& id) { return id.starts_with("i-1-"); }).set_aside.empty());
  const auto begun = std::chrono::steady_clock::now();
  ASSERT_TRUE(blocks_->create_store("i-2-ephemeral0", 150 * gib, StoreContent::ext3, "ephemeral0"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, seconds(2));
  EXPECT_EQ(uuid_of("i-2-ephemeral0"), uuid_of("i-1-ephemeral0"));
  for (const auto& file : std::filesystem::directory_iterator(layers())) EXPECT_EQ(file.path().extension(), ".qcow2") << file.path();
}

}  // namespace
}  // namespace brume::block
