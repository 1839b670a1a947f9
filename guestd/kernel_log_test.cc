// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The ktstr authors

#include "guestd/kernel_log.h"

#include "gtest/gtest.h"

namespace ktstr::guestd {
namespace {

TEST(KernelLogTest, PrioritiesGoAndNothingElse) {
  EXPECT_EQ(WithoutPriorities("<6>[    0.000000] Linux\n"
                              "<191>[    0.1] most\n"
                              "continued <3> line\n"
                              "\n"
                              "<x> text\n<> empty\n<1234>long\n<5"),
            "[    0.000000] Linux\n"
            "[    0.1] most\n"
            "continued <3> line\n"
            "\n"
            "<x> text\n<> empty\n<1234>long\n<5");
  EXPECT_EQ(WithoutPriorities("<6>last"), "last");
  EXPECT_EQ(WithoutPriorities(""), "");
}

}  // namespace
}  // namespace ktstr::guestd
