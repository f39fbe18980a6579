// The settings of SAML apps in the words of a command line and of what it prints.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "devicetrust/org/v1/apps.pb.h"
#include "devicetrust/org/v1/gateway_keys.pb.h"
#include "libs/base/status.h"

namespace devicetrust::admin {

// WordTable and what they mean; "default" comes first and leaves it to the metadata or the org.
using WordTable = std::vector<std::pair<std::string, int>>;
const WordTable& SignedPartWords();
const WordTable& SamlKeyWords();
const WordTable& EncryptionWords();
const WordTable& UserFieldWords();
const WordTable& AttributeFormatWords();

// Their names alone, in order.
std::vector<std::string> NamesOf(const WordTable& words);
// What `word`, one of them, means.
int MeaningOf(const WordTable& words, std::string_view word);
std::string WordOf(const WordTable& words, int meaning);

// "email" for the address of that NameID format and back; "default" for none.
const std::vector<std::string>& NameIdWords();
std::string NameIdFormatOf(std::string_view word);
std::string NameIdWordOf(std::string_view format);

// "NAME=FIELD", "NAME=groups:PREFIX" or "NAME=text:VALUE". kInvalidArgument, saying which.
absl::StatusOr<org::v1::AttributeMapping> AttributeFromText(const std::string& text);
std::string AttributeText(const org::v1::AttributeMapping& mapping);

// Lines about `saml` for AppText().
std::vector<std::pair<std::string, std::string>> SamlSettingLines(
    const org::v1::SamlServiceProvider& saml);

std::string SamlKeysTable(const std::vector<org::v1::SamlKey>& keys);

}  // namespace devicetrust::admin
