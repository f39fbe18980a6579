#include "tools/dtctl/app_settings.h"

#include <CLI/CLI.hpp>
#include <utility>

#include "libs/admin/app_file.h"
#include "libs/admin/saml_words.h"

namespace devicetrust::ctl {
namespace {

using Attributes = google::protobuf::RepeatedPtrField<org::v1::AttributeMapping>;
absl::StatusOr<Attributes> ReadAttributes(const AppOptions& options) {
  Attributes attributes;
  for (const std::string& text : *options.attributes) {
    if (text.empty()) continue;
    DT_ASSIGN_OR_RETURN(*attributes.Add(), admin::AttributeFromText(text));
  }
  return attributes;
}

// Puts what was given into the settings of a SAML app.
absl::Status EditSaml(const AppOptions& options, org::v1::SamlServiceProvider& saml) {
  org::v1::SamlSettings& settings = *saml.mutable_settings();
  const auto meaning = [](const admin::WordTable& words, const std::string& word) {
    return admin::MeaningOf(words, word);
  };
  if (!options.name_id.empty()) settings.set_name_id_format(admin::NameIdFormatOf(options.name_id));
  if (!options.name_id_field.empty()) {
    settings.set_name_id_field(
        static_cast<org::v1::UserField>(meaning(admin::UserFieldWords(), options.name_id_field)));
  }
  if (!options.sign.empty()) {
    settings.set_signed_part(
        static_cast<org::v1::SamlSignedPart>(meaning(admin::SignedPartWords(), options.sign)));
  }
  if (!options.key.empty()) {
    settings.set_signing_key(
        static_cast<org::v1::SamlKeyKind>(meaning(admin::SamlKeyWords(), options.key)));
  }
  if (!options.encryption.empty()) {
    settings.set_encryption(static_cast<org::v1::SamlEncryption>(
        meaning(admin::EncryptionWords(), options.encryption)));
  }
  if (options.relay_state) saml.set_default_relay_state(*options.relay_state);
  if (options.attributes) {
    DT_ASSIGN_OR_RETURN(*settings.mutable_attributes(), ReadAttributes(options));
    for (org::v1::AttributeMapping& mapping : *settings.mutable_attributes()) {
      mapping.set_name_format(static_cast<org::v1::AttributeNameFormat>(
          meaning(admin::AttributeFormatWords(), options.attribute_format)));
    }
  }
  return admin::CheckEncryption(saml);
}

}  // namespace

void AddSamlFlags(CLI::App& verb, AppOptions& options, CLI::Option* metadata) {
  const auto choice = [&](const char* flag, std::string& value, const char* about,
                          std::vector<std::string> words) {
    CLI::Option* const option = verb.add_option(flag, value, about);
    option->check(CLI::IsMember(std::move(words)));
    if (metadata != nullptr) option->needs(metadata);
  };
  choice("--name-id", options.name_id,
         "NameID format when the app does not ask for one (default: its metadata's, or the org's)",
         admin::NameIdWords());
  choice("--name-id-field", options.name_id_field, "What an unspecified or email NameID is made of",
         admin::NamesOf(admin::UserFieldWords()));
  choice("--sign", options.sign, "What the signature covers (default: as the metadata asks)",
         admin::NamesOf(admin::SignedPartWords()));
  choice("--key", options.key, "Kind of the org's key that signs",
         admin::NamesOf(admin::SamlKeyWords()));
  choice("--encryption", options.encryption,
         "Of assertions (default: if the metadata has a key for it)",
         admin::NamesOf(admin::EncryptionWords()));
  verb.add_option("--attribute", options.attributes,
                  "What the app is told of people, instead of the usual; may come more than once; "
                  "\"\" goes back to the usual")
      ->type_name("NAME=FIELD");
  choice("--attribute-format", options.attribute_format, "NameFormat of these attributes",
         admin::NamesOf(admin::AttributeFormatWords()));
  CLI::Option* const relay_state =
      verb.add_option("--default-relay-state", options.relay_state,
                      "Of SAML: RelayState when the sign-in begins at the org; \"\" removes it");
  relay_state->type_name("TEXT");
  if (metadata != nullptr) relay_state->needs(metadata);
}

bool HasSamlFlags(const AppOptions& options) {
  return !options.name_id.empty() || !options.name_id_field.empty() || !options.sign.empty() ||
         !options.key.empty() || !options.encryption.empty() || options.relay_state.has_value();
}

void KeepSettings(const org::v1::App& before, org::v1::App& app) {
  app.set_label(before.label());
  app.set_has_client_conditions(before.has_client_conditions());
  if (app.has_saml() && before.has_saml()) {
    app.mutable_saml()->set_default_relay_state(before.saml().default_relay_state());
    *app.mutable_saml()->mutable_settings() = before.saml().settings();
  }
  if (app.has_ws_fed() && before.has_ws_fed()) {
    app.mutable_ws_fed()->set_token_type(before.ws_fed().token_type());
    app.mutable_ws_fed()->set_claims(before.ws_fed().claims());
    *app.mutable_ws_fed()->mutable_attributes() = before.ws_fed().attributes();
  }
}

absl::Status ChangeSettings(const AppOptions& options, org::v1::App& app) {
  using Party = org::v1::WsFedRelyingParty;
  if (options.label.has_value()) app.set_label(*options.label);
  if (options.client_conditions || options.office365) app.set_has_client_conditions(true);
  if (options.office365) app.mutable_ws_fed()->set_claims(Party::CLAIMS_OFFICE_365);
  if (!options.token.empty()) {
    app.mutable_ws_fed()->set_token_type(options.token == "saml2.0" ? Party::TOKEN_TYPE_SAML_2_0
                                                                    : Party::TOKEN_TYPE_SAML_1_1);
  }
  if (app.has_ws_fed() && options.attributes) {
    DT_ASSIGN_OR_RETURN(*app.mutable_ws_fed()->mutable_attributes(), ReadAttributes(options));
  }
  return app.has_saml() ? EditSaml(options, *app.mutable_saml()) : absl::OkStatus();
}

}  // namespace devicetrust::ctl
