// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "kconfig/embedded.h"

#include <zlib.h>

#include <string>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gtest/gtest.h"

namespace ktstr::kconfig {
namespace {

using ::absl_testing::IsOkAndHolds;
using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

std::string Gzip(const std::string& text) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string packed(text.size() + 1024, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = packed.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

std::string MakeImage(const std::string& config) {
  return "\x7f"
         "ELF rodata IKCFG_ST of something else " +
         ("IKCFG_ST" + Gzip(config)) + "IKCFG_ED more rodata";
}

TEST(EmbeddedConfigTest, FindsAndUnpacksTheText) {
  EXPECT_THAT(EmbeddedConfigText(MakeImage("CONFIG_SMP=y\n")),
              IsOkAndHolds("CONFIG_SMP=y\n"));
}

TEST(EmbeddedConfigTest, SaysWhenThereIsNone) {
  EXPECT_THAT(EmbeddedConfigText("no such thing"),
              StatusIs(absl::StatusCode::kNotFound,
                       HasSubstr("kernel has no embedded config")));
}

TEST(EmbeddedConfigTest, RefusesACutStream) {
  std::string image = MakeImage(std::string(5000, 'x'));
  image.resize(image.find("IKCFG_ST\x1f") + 20);
  EXPECT_THAT(EmbeddedConfigText(image),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(EmbeddedConfigTest, RefusesAnUnpackedTextWithoutEnd) {
  EXPECT_THAT(EmbeddedConfigText(MakeImage(std::string(40u << 20, '#'))),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(ConfigOfVmlinuxTest, ReadsAFileAndNamesItInErrors) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("embedded"));
  std::string path = JoinPath(dir.path(), "vmlinux");
  ASSERT_OK(WriteFileAtomically(path, MakeImage("CONFIG_SMP=y\n")));
  ASSERT_OK_AND_ASSIGN(Kconfig config, ConfigOfVmlinux(path));
  EXPECT_TRUE(config.IsBuiltIn("SMP"));
  ASSERT_OK(WriteFileAtomically(path, "text"));
  EXPECT_THAT(ConfigOfVmlinux(path),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr(path)));
}

}  // namespace
}  // namespace ktstr::kconfig
