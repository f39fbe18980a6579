#include "libs/admin/saml_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "libs/admin/app_file.h"
#include "libs/rpc/error.h"
#include "libs/testing/status.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

TEST(SamlWordsTest, WhatAnAttributeIsPrintedAsIsRead) {
  for (const char* text : {"mail=email", "urn:oid:0.9=display-name", "role=groups:CRM-",
                           "tenant=text:a=b c", "memberOf=groups"}) {
    const auto mapping = AttributeFromText(text);
    DT_ASSERT_OK(mapping);
    EXPECT_EQ(AttributeText(*mapping), text);
  }
  for (const char* text :
       {"", "mail", "mail=", "=email", "mail=colour", "mail=default", "mail=text:"}) {
    const auto mapping = AttributeFromText(text);
    DT_EXPECT_CODE(mapping, kInvalidArgument);
    EXPECT_THAT(std::string(mapping.status().message()), ::testing::HasSubstr("account-name"));
  }
}

TEST(SamlWordsTest, WordsAndMeaningsFitTogether) {
  for (const WordTable* table : {&SignedPartWords(), &SamlKeyWords(), &EncryptionWords(),
                                 &UserFieldWords(), &AttributeFormatWords()}) {
    for (const auto& [word, meaning] : *table) {
      EXPECT_EQ(MeaningOf(*table, word), meaning);
      EXPECT_EQ(WordOf(*table, meaning), word);
    }
  }
  for (const std::string& word : NameIdWords()) EXPECT_EQ(NameIdWordOf(NameIdFormatOf(word)), word);
}

TEST(SamlWordsTest, ANewAppWhoseMethodsAreUnknownIsNotTaken) {
  v1::SamlServiceProvider saml;
  saml.mutable_encryption_key()->add_methods("http://www.w3.org/2001/04/xmlenc#rsa-1_5");
  const absl::Status status = CheckEncryption(saml);
  DT_EXPECT_CODE(status, kFailedPrecondition);
  EXPECT_THAT(rpc::DetailOf(status)->remedy(), ::testing::HasSubstr("--encryption never"));
  saml.mutable_settings()->set_encryption(v1::SAML_ENCRYPTION_NEVER);
  DT_EXPECT_OK(CheckEncryption(saml));
}

}  // namespace
}  // namespace devicetrust::admin
