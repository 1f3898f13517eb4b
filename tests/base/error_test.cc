// SPDX-License-Identifier: Apache-2.0
#include "drumbeat/error.h"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace drumbeat {
namespace {

constexpr int kCodes = static_cast<int>(ErrorCode::kWriteFailed) + 1;

TEST(ErrorTest, EveryCodeHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int code = 0; code < kCodes; ++code) {
    const std::string_view name = ErrorCodeName(static_cast<ErrorCode>(code));
    EXPECT_NE(name, "unknown error") << code;
    names.insert(name);
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kCodes));
  EXPECT_EQ(ErrorCodeName(static_cast<ErrorCode>(kCodes)), "unknown error");
}

TEST(ErrorTest, OnlyTheLastGroupIsUnknown) {
  for (int code = 0; code < kCodes; ++code) {
    const bool unknown = code >= static_cast<int>(ErrorCode::kTimeout);
    EXPECT_EQ(OutcomeOf(static_cast<ErrorCode>(code)),
              unknown ? Outcome::kUnknown : Outcome::kDidNotHappen)
        << ErrorCodeName(static_cast<ErrorCode>(code));
  }
}

TEST(ErrorTest, TheTextIsTheMessageOrTheName) {
  EXPECT_EQ((Error{.code = ErrorCode::kBusy, .message = "queue full"}).text(), "queue full");
  EXPECT_EQ((Error{.code = ErrorCode::kBusy, .message = ""}).text(),
            ErrorCodeName(ErrorCode::kBusy));
}

TEST(ErrorTest, WhatPassesByItselfIsRetryable) {
  EXPECT_TRUE((Error{.code = ErrorCode::kBusy, .message = ""}).retryable());
  EXPECT_TRUE((Error{.code = ErrorCode::kNoLeader, .message = ""}).retryable());
  EXPECT_FALSE((Error{.code = ErrorCode::kReplicaRemoved, .message = ""}).retryable());
  EXPECT_FALSE((Error{.code = ErrorCode::kInvalidArgument, .message = ""}).retryable());
}

}  // namespace
}  // namespace drumbeat
