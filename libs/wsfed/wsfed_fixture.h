// A signer and xmlsec1 to judge it. Tests only.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "libs/base/files.h"
#include "libs/pki/certificate.h"
#include "libs/saml/xml.h"
#include "libs/testing/status.h"
#include "libs/testing/temp_folder.h"
#include "libs/throwaway/seeded_random.h"

namespace devicetrust::wsfed {

inline constexpr WallTime kIssuedAt{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};

class WsFedTest : public ::testing::Test {
 protected:
  static pki::Identity NewSigner() {
    const pki::PrivateKey key = pki::PrivateKey::Generate(pki::KeyType::kRsa2048).value();
    return {pki::SignSelf({.common_name = "org",
                           .serial_hex = "01",
                           .usage = pki::Usage::kCa,
                           .not_before = kIssuedAt,
                           .not_after = kIssuedAt + std::chrono::hours{1}},
                          key)
                .value(),
            key};
  }

  // Exit status of xmlsec1 over the document's one signature; `id_attribute` of `element`.
  int XmlSec(const std::string& xml, const std::string& id_attribute, const std::string& element) {
    const testing::TempFolder folder;
    DT_EXPECT_OK(WriteFileAtomically(folder / "signed.xml", xml));
    DT_EXPECT_OK(WriteFileAtomically(folder / "org.pem", signer_.certificate.Pem()));
    const std::string command = fmt::format(
        "xmlsec1 --verify --enabled-reference-uris same-doc --pubkey-cert-pem {0}/org.pem "
        "--id-attr:{1} {2} {0}/signed.xml >{0}/xmlsec.log 2>&1",
        folder.path(), id_attribute, element);
    return std::system(command.c_str());
  }

  const pki::Identity signer_ = NewSigner();
  throwaway::SeededRandom random_{7};
};

}  // namespace devicetrust::wsfed
