#include "libs/admin/saml_words.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "libs/admin/text.h"
#include "libs/admin/times.h"
#include "libs/base/printable.h"
#include "libs/saml/subject_name.h"

namespace devicetrust::admin {
namespace {

namespace v1 = ::devicetrust::org::v1;

constexpr std::string_view kDefault = "default";

const std::vector<std::pair<std::string, std::string>>& Formats() {
  static const auto* const formats = new std::vector<std::pair<std::string, std::string>>{
      {std::string(kDefault), ""},
      {"unspecified", std::string(saml::kNameIdUnspecified)},
      {"email", std::string(saml::kNameIdEmail)},
      {"persistent", std::string(saml::kNameIdPersistent)},
      {"transient", std::string(saml::kNameIdTransient)}};
  return *formats;
}

std::string AttributesLine(const v1::SamlSettings& settings) {
  if (settings.attributes().empty()) {
    return "principal, email, displayName, givenName, surname, groups";
  }
  std::vector<std::string> texts;
  for (const v1::AttributeMapping& each : settings.attributes()) {
    texts.push_back(AttributeText(each));
  }
  return Printable(fmt::format("{}", fmt::join(texts, ", ")));
}

std::string EncryptionLine(const v1::SamlServiceProvider& saml) {
  if (saml.settings().encryption() == v1::SAML_ENCRYPTION_NEVER) return "no, by its settings";
  if (!saml.has_encryption_key()) return "no: its metadata has no key for it";
  return "yes, to the key of its metadata";
}

}  // namespace

const WordTable& SignedPartWords() {
  static const auto* const words =
      new WordTable{{std::string(kDefault), v1::SAML_SIGNED_PART_UNSPECIFIED},
                    {"response", v1::SAML_SIGNED_PART_RESPONSE},
                    {"assertion", v1::SAML_SIGNED_PART_ASSERTION},
                    {"both", v1::SAML_SIGNED_PART_BOTH}};
  return *words;
}

const WordTable& SamlKeyWords() {
  static const auto* const words =
      new WordTable{{"rsa", v1::SAML_KEY_KIND_RSA}, {"ecdsa", v1::SAML_KEY_KIND_ECDSA}};
  return *words;
}

const WordTable& EncryptionWords() {
  static const auto* const words =
      new WordTable{{std::string(kDefault), v1::SAML_ENCRYPTION_UNSPECIFIED},
                    {"never", v1::SAML_ENCRYPTION_NEVER},
                    {"always", v1::SAML_ENCRYPTION_ALWAYS}};
  return *words;
}

const WordTable& UserFieldWords() {
  static const auto* const words =
      new WordTable{{std::string(kDefault), v1::USER_FIELD_UNSPECIFIED},
                    {"principal", v1::USER_FIELD_PRINCIPAL},
                    {"email", v1::USER_FIELD_EMAIL},
                    {"display-name", v1::USER_FIELD_DISPLAY_NAME},
                    {"given-name", v1::USER_FIELD_GIVEN_NAME},
                    {"surname", v1::USER_FIELD_SURNAME},
                    {"groups", v1::USER_FIELD_GROUPS},
                    {"account-name", v1::USER_FIELD_ACCOUNT_NAME},
                    {"sid", v1::USER_FIELD_SID},
                    {"user-id", v1::USER_FIELD_USER_ID}};
  return *words;
}

const WordTable& AttributeFormatWords() {
  static const auto* const words = new WordTable{{"basic", v1::ATTRIBUTE_NAME_FORMAT_BASIC},
                                                 {"uri", v1::ATTRIBUTE_NAME_FORMAT_URI},
                                                 {"any", v1::ATTRIBUTE_NAME_FORMAT_ANY}};
  return *words;
}

std::vector<std::string> NamesOf(const WordTable& words) {
  std::vector<std::string> names;
  for (const auto& [name, meaning] : words) names.push_back(name);
  return names;
}

int MeaningOf(const WordTable& words, std::string_view word) {
  const auto at = std::ranges::find(words, word, &WordTable::value_type::first);
  return at == words.end() ? 0 : at->second;
}

std::string WordOf(const WordTable& words, int meaning) {
  const auto at = std::ranges::find(words, meaning, &WordTable::value_type::second);
  return at == words.end() ? words.front().first : at->first;
}

const std::vector<std::string>& NameIdWords() {
  static const auto* const words = [] {
    auto* const names = new std::vector<std::string>;
    for (const auto& [word, format] : Formats()) names->push_back(word);
    return names;
  }();
  return *words;
}

std::string NameIdFormatOf(std::string_view word) {
  const auto at = std::ranges::find(Formats(), word, &std::pair<std::string, std::string>::first);
  return at == Formats().end() ? "" : at->second;
}

std::string NameIdWordOf(std::string_view format) {
  const auto at =
      std::ranges::find(Formats(), format, &std::pair<std::string, std::string>::second);
  return at == Formats().end() ? std::string(format) : at->first;
}

absl::StatusOr<v1::AttributeMapping> AttributeFromText(const std::string& text) {
  const std::size_t sign = text.find('=');
  v1::AttributeMapping mapping;
  mapping.set_name(text.substr(0, sign));
  const std::string of = sign == text.npos ? "" : text.substr(sign + 1);
  if (of.starts_with("text:")) {
    mapping.set_value(of.substr(5));
  } else if (of.starts_with("groups:")) {
    mapping.set_field(v1::USER_FIELD_GROUPS);
    mapping.set_group_prefix(of.substr(7));
  } else {
    mapping.set_field(static_cast<v1::UserField>(MeaningOf(UserFieldWords(), of)));
  }
  const bool empty = mapping.field() == v1::USER_FIELD_UNSPECIFIED && mapping.value().empty();
  if (!mapping.name().empty() && !empty) return mapping;
  std::vector<std::string> fields = NamesOf(UserFieldWords());
  fields.erase(fields.begin());  // "default" is none.
  return absl::InvalidArgumentError(fmt::format(
      "'{}' is no attribute: NAME=FIELD, where FIELD is one of {}, or groups:PREFIX, or text:VALUE",
      text, fmt::join(fields, ", ")));
}

std::string AttributeText(const v1::AttributeMapping& mapping) {
  std::string of = mapping.field() == v1::USER_FIELD_UNSPECIFIED
                       ? "text:" + mapping.value()
                       : WordOf(UserFieldWords(), mapping.field());
  if (!mapping.group_prefix().empty()) of += ":" + mapping.group_prefix();
  return fmt::format("{}={}", mapping.name(), of);
}

std::vector<std::pair<std::string, std::string>> SamlSettingLines(
    const v1::SamlServiceProvider& saml) {
  const v1::SamlSettings& settings = saml.settings();
  std::string name = NameIdWordOf(settings.name_id_format());
  if (settings.name_id_field() != v1::USER_FIELD_UNSPECIFIED) {
    name += ", the " + WordOf(UserFieldWords(), settings.name_id_field());
  }
  std::string part = WordOf(SignedPartWords(), settings.signed_part());
  if (part == kDefault) {
    part = saml.wants_assertions_signed() ? "assertion, as its metadata asks" : "response";
  }
  return {
      {"NameID", name},
      {"signed", fmt::format("{}, by the org's {} key", part,
                             settings.signing_key() == v1::SAML_KEY_KIND_ECDSA ? "ECDSA" : "RSA")},
      {"encrypted", EncryptionLine(saml)},
      {"attributes", AttributesLine(settings)},
      {"sign-out", saml.single_logout().empty() ? "the app is not told"
                                                : Printable(saml.single_logout(0).url())}};
}

std::string SamlKeysTable(const std::vector<v1::SamlKey>& keys) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::SamlKey& key : keys) {
    std::string state = "signs";
    if (key.state() == v1::SAML_KEY_STATE_PUBLISHED) {
      state = "published; signs from " + FormatTime(key.signs_from());
    } else if (key.state() == v1::SAML_KEY_STATE_RETIRING) {
      state = "retiring";
    }
    rows.push_back({key.kid(), key.kind() == v1::SAML_KEY_KIND_ECDSA ? "ECDSA" : "RSA", state,
                    key.has_retires_at() ? FormatTime(key.retires_at()) : "-"});
  }
  return TableText({"KEY", "KIND", "STATE", "LEAVES THE METADATA"}, rows);
}

}  // namespace devicetrust::admin
