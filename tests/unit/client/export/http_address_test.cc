// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "client/export/http_server.h"

namespace taskmon::client {
namespace {

TEST(ListenAddress, IsThisMachineUnlessSaidOtherwise) {
  for (const char* text : {"9843", ":9843", "localhost:9843", "127.0.0.1:9843"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_TRUE(address->loopback);
    EXPECT_EQ(address->text, "127.0.0.1:9843");
  }
  EXPECT_TRUE(ParseListenAddress("[::1]:80")->loopback);
  EXPECT_FALSE(ParseListenAddress("0.0.0.0:80")->loopback);
  EXPECT_FALSE(ParseListenAddress("[::]:80")->loopback);
}

TEST(ListenAddress, WhatIsNoneIsRefusedWithAnExample) {
  for (const char* text : {"", ":", "host", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "1.2.3.4:65536", "::1:80",
                           "127.0.0.1:9843x", "example.org:80", "[::1]", "[1.2.3:5"}) {
    const auto address = ParseListenAddress(text);
    EXPECT_TRUE(absl::IsInvalidArgument(address.status())) << text;
    EXPECT_NE(std::string(address.status().message()).find("127.0.0.1:9843"), std::string::npos);
  }
}

}  // namespace
}  // namespace taskmon::client
