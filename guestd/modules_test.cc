// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/modules.h"

#include <unistd.h>

#include "base/file.h"
#include "base/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

using ::absl_testing::StatusIs;
using ::testing::HasSubstr;

TEST(ModulesTest, NameUsesUnderscores) {
  EXPECT_EQ(ModuleName("/ktstr/modules/virtio-mmio.ko"), "virtio_mmio");
}

TEST(ModulesTest, NoOrderFileIsNothingToDo) {
  EXPECT_OK(LoadModules("/nonexistent/order", ""));
}

TEST(ModulesTest, MissingModuleIsNamed) {
  ASSERT_OK_AND_ASSIGN(TempDir dir, TempDir::Create("modules_test"));
  std::string order = JoinPath(dir.path(), "order");
  ASSERT_OK(WriteFileAtomically(order, "\n/nonexistent/vsock.ko\n"));
  EXPECT_THAT(LoadModules(order, ""),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("vsock.ko")));
}

}  // namespace
}  // namespace ktstr::guestd
