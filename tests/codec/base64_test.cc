// SPDX-License-Identifier: Apache-2.0
#include "codec/base64.h"

#include <gtest/gtest.h>

namespace drumbeat::codec {
namespace {

// RFC 4648, section 10.
TEST(Base64Test, TheExamplesOfTheRfc) {
  for (const auto& [plain, coded] :
       std::initializer_list<std::pair<const char*, const char*>>{{"", ""},
                                                                  {"f", "Zg=="},
                                                                  {"fo", "Zm8="},
                                                                  {"foo", "Zm9v"},
                                                                  {"foob", "Zm9vYg=="},
                                                                  {"fooba", "Zm9vYmE="},
                                                                  {"foobar", "Zm9vYmFy"}}) {
    EXPECT_EQ(EncodeBase64(plain), coded);
    EXPECT_EQ(DecodeBase64(coded), plain);
  }
}

TEST(Base64Test, EveryByteComesBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(DecodeBase64(EncodeBase64(all)), all);
  EXPECT_EQ(EncodeBase64("\xfb\xff\xbf"), "+/+/");
}

TEST(Base64Test, RefusesOtherTexts) {
  for (const char* bad : {"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm-_", "=m9v",
                          "Z=8=", "Zm9vZm9vZ", "Zm\xc3\xa4"}) {
    EXPECT_EQ(DecodeBase64(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace drumbeat::codec
