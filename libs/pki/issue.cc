// Writing certificates: the half of certificate.h that signs.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/x509v3.h>

#include <array>

#include "libs/base/check.h"
#include "libs/pki/certificate.h"
#include "libs/pki/openssl.h"
#include "libs/pki/p256.h"

namespace devicetrust::pki {
namespace {

using GeneralNamesPtr = Owned<GENERAL_NAMES, &GENERAL_NAMES_free>;
using DistPointsPtr = Owned<CRL_DIST_POINTS, &CRL_DIST_POINTS_free>;
using InfoAccessPtr = Owned<AUTHORITY_INFO_ACCESS, &AUTHORITY_INFO_ACCESS_free>;
using KeyIdPtr = Owned<AUTHORITY_KEYID, &AUTHORITY_KEYID_free>;
using OctetsPtr = Owned<ASN1_OCTET_STRING, &ASN1_OCTET_STRING_free>;
using BitsPtr = Owned<ASN1_BIT_STRING, &ASN1_BIT_STRING_free>;
using UsagesPtr = Owned<EXTENDED_KEY_USAGE, &EXTENDED_KEY_USAGE_free>;
using ConstraintsPtr = Owned<BASIC_CONSTRAINTS, &BASIC_CONSTRAINTS_free>;

constexpr std::size_t kNameBytesMax = 1024;

bool Add(X509* x509, int nid, void* value, bool critical) {
  return value != nullptr &&
         X509_add1_ext_i2d(x509, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

// A name of an IA5String kind (URI, DNS). Structures, never OpenSSL's config syntax: a
// comma in a name would begin another extension there.
bool AddName(GENERAL_NAMES* names, int kind, const std::string& text) {
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  if (text.empty() || text.size() > kNameBytesMax || !std::ranges::all_of(text, printable)) {
    return false;
  }
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  GENERAL_NAME* name = GENERAL_NAME_new();
  const bool made = value != nullptr && name != nullptr &&
                    ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1;
  if (!made) {
    ASN1_IA5STRING_free(value);
    GENERAL_NAME_free(name);
    return false;
  }
  GENERAL_NAME_set0_value(name, kind, value);  // `name` owns `value` from here.
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

bool AddAddress(GENERAL_NAMES* names, const std::string& text) {
  ASN1_OCTET_STRING* octets = a2i_IPADDRESS(text.c_str());
  if (octets == nullptr) return false;
  GENERAL_NAME* name = GENERAL_NAME_new();
  DT_CHECK(name != nullptr);
  GENERAL_NAME_set0_value(name, GEN_IPADD, octets);
  if (sk_GENERAL_NAME_push(names, name) > 0) return true;
  GENERAL_NAME_free(name);
  return false;
}

bool AddAlternativeNames(X509* x509, const CertificateSpec& spec) {
  const GeneralNamesPtr names(GENERAL_NAMES_new());
  for (const std::string& uri : spec.uris) {
    if (!AddName(names.get(), GEN_URI, uri)) return false;
  }
  for (const std::string& dns : spec.dns_names) {
    if (!AddName(names.get(), GEN_DNS, dns)) return false;
  }
  for (const std::string& address : spec.ip_addresses) {
    if (!AddAddress(names.get(), address)) return false;
  }
  if (sk_GENERAL_NAME_num(names.get()) == 0) return true;
  // Critical when it is all the subject there is (RFC 5280, section 4.2.1.6).
  return Add(x509, NID_subject_alt_name, names.get(),
             spec.common_name.empty() && spec.organization.empty());
}

bool AddCrlUrls(X509* x509, const std::vector<std::string>& urls) {
  if (urls.empty()) return true;
  const DistPointsPtr points(CRL_DIST_POINTS_new());
  for (const std::string& url : urls) {
    DIST_POINT* point = DIST_POINT_new();
    DT_CHECK(point != nullptr);
    if (sk_DIST_POINT_push(points.get(), point) <= 0) {
      DIST_POINT_free(point);
      return false;
    }
    point->distpoint = DIST_POINT_NAME_new();
    DT_CHECK(point->distpoint != nullptr);
    point->distpoint->type = 0;
    point->distpoint->name.fullname = GENERAL_NAMES_new();
    if (!AddName(point->distpoint->name.fullname, GEN_URI, url)) return false;
  }
  return Add(x509, NID_crl_distribution_points, points.get(), false);
}

bool AddInfoAccess(X509* x509, const CertificateSpec& spec) {
  const InfoAccessPtr access(AUTHORITY_INFO_ACCESS_new());
  const auto add = [&](const std::vector<std::string>& urls, int method) {
    for (const std::string& url : urls) {
      const GeneralNamesPtr one(GENERAL_NAMES_new());
      ACCESS_DESCRIPTION* entry = ACCESS_DESCRIPTION_new();
      DT_CHECK(entry != nullptr);
      if (!AddName(one.get(), GEN_URI, url) ||
          sk_ACCESS_DESCRIPTION_push(access.get(), entry) <= 0) {
        ACCESS_DESCRIPTION_free(entry);
        return false;
      }
      entry->method = OBJ_nid2obj(method);
      GENERAL_NAME_free(entry->location);
      entry->location = sk_GENERAL_NAME_pop(one.get());
    }
    return true;
  };
  if (!add(spec.ocsp_urls, NID_ad_OCSP) || !add(spec.ca_issuer_urls, NID_ad_ca_issuers)) {
    return false;
  }
  return sk_ACCESS_DESCRIPTION_num(access.get()) == 0 ||
         Add(x509, NID_info_access, access.get(), false);
}

bool AddConstraints(X509* x509, const CertificateSpec& spec) {
  const ConstraintsPtr constraints(BASIC_CONSTRAINTS_new());
  constraints->ca = spec.usage == Usage::kCa ? 0xff : 0;
  if (spec.path_length.has_value()) {
    if (spec.usage != Usage::kCa || *spec.path_length < 0) return false;
    constraints->pathlen = ASN1_INTEGER_new();
    if (ASN1_INTEGER_set(constraints->pathlen, *spec.path_length) != 1) return false;
  }
  return Add(x509, NID_basic_constraints, constraints.get(), true);
}

bool AddUsage(X509* x509, Usage usage) {
  const BitsPtr bits(ASN1_BIT_STRING_new());
  // Bit numbers of RFC 5280, section 4.2.1.3: 0 digitalSignature, 5 keyCertSign, 6 cRLSign.
  const bool set = usage == Usage::kCa ? ASN1_BIT_STRING_set_bit(bits.get(), 5, 1) == 1 &&
                                             ASN1_BIT_STRING_set_bit(bits.get(), 6, 1) == 1
                                       : ASN1_BIT_STRING_set_bit(bits.get(), 0, 1) == 1;
  if (!set || !Add(x509, NID_key_usage, bits.get(), true)) return false;
  if (usage == Usage::kCa) return true;

  const UsagesPtr usages(EXTENDED_KEY_USAGE_new());
  if (usage != Usage::kClientAuth) {
    sk_ASN1_OBJECT_push(usages.get(), OBJ_nid2obj(NID_server_auth));  // A static object.
  }
  if (usage != Usage::kServerAuth) {
    sk_ASN1_OBJECT_push(usages.get(), OBJ_nid2obj(NID_client_auth));
  }
  return Add(x509, NID_ext_key_usage, usages.get(), false);
}

// RFC 7093, section 2, method 1: the leftmost 160 bits of SHA-256 of the key's bits.
OctetsPtr KeyId(const X509* x509) {
  std::array<unsigned char, 32> digest{};
  OctetsPtr octets(ASN1_OCTET_STRING_new());
  if (octets == nullptr || X509_pubkey_digest(x509, EVP_sha256(), digest.data(), nullptr) != 1 ||
      ASN1_OCTET_STRING_set(octets.get(), digest.data(), 20) != 1) {
    return nullptr;
  }
  return octets;
}

bool AddKeyIds(X509* x509, const X509* issuer) {
  const OctetsPtr own = KeyId(x509);
  if (!Add(x509, NID_subject_key_identifier, own.get(), false)) return false;
  const KeyIdPtr authority(AUTHORITY_KEYID_new());
  if (issuer == nullptr) {
    authority->keyid = ASN1_OCTET_STRING_dup(own.get());
  } else {
    const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(const_cast<X509*>(issuer));
    if (id == nullptr) return true;  // Nothing to point at.
    authority->keyid = ASN1_OCTET_STRING_dup(id);
  }
  return Add(x509, NID_authority_key_identifier, authority.get(), false);
}

bool AddNamePart(X509_NAME* name, int nid, const std::string& text) {
  return text.empty() || X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, AsBytes(text).data(),
                                                    static_cast<int>(text.size()), -1, 0) == 1;
}

// `issuer` null: self-signed.
absl::StatusOr<Certificate> Sign(const CertificateSpec& spec, EVP_PKEY* subject_key,
                                 const X509* issuer, EVP_PKEY* issuer_key) {
  const bool unnamed = spec.common_name.empty() && spec.uris.empty() && spec.dns_names.empty() &&
                       spec.ip_addresses.empty();
  if (unnamed || spec.not_after < spec.not_before) {
    return absl::InvalidArgumentError(
        "certificate needs a name, and must not end before it begins");
  }
  X509Ptr x509(X509_new());
  const Asn1IntegerPtr serial = SerialFromHex(spec.serial_hex);
  X509_NAME* subject = X509_get_subject_name(x509.get());  // Borrowed.
  const bool filled =
      serial != nullptr && X509_set_serialNumber(x509.get(), serial.get()) == 1 &&
      X509_set_version(x509.get(), X509_VERSION_3) == 1 &&
      ASN1_TIME_set(X509_getm_notBefore(x509.get()), UnixSeconds(spec.not_before)) &&
      ASN1_TIME_set(X509_getm_notAfter(x509.get()), UnixSeconds(spec.not_after)) &&
      X509_set_pubkey(x509.get(), ForWriting(subject_key).get()) == 1 &&
      AddNamePart(subject, NID_organizationName, spec.organization) &&
      AddNamePart(subject, NID_commonName, spec.common_name) &&
      X509_set_issuer_name(x509.get(), issuer ? X509_get_subject_name(issuer) : subject) == 1 &&
      AddConstraints(x509.get(), spec) && AddUsage(x509.get(), spec.usage) &&
      AddKeyIds(x509.get(), issuer) && AddAlternativeNames(x509.get(), spec) &&
      AddCrlUrls(x509.get(), spec.crl_urls) && AddInfoAccess(x509.get(), spec);
  if (!filled) {
    return OpenSslError(absl::StatusCode::kInvalidArgument,
                        fmt::format("certificate for '{}'", spec.common_name));
  }
  if (X509_sign(x509.get(), issuer_key, EVP_sha256()) == 0) {
    return OpenSslError(absl::StatusCode::kInternal, "X509_sign");
  }
  return Certificate(std::move(x509));
}

}  // namespace

absl::StatusOr<Certificate> SignCertificate(const CertificateSpec& spec, const PublicKey& subject,
                                            const Identity& issuer) {
  if (!issuer.certificate.is_ca()) {
    return absl::FailedPreconditionError("the issuing certificate is not one of a CA");
  }
  return Sign(spec, subject.get(), issuer.certificate.get(), issuer.key.get());
}

absl::StatusOr<Certificate> SignSelf(const CertificateSpec& spec, const PrivateKey& key) {
  return Sign(spec, key.get(), nullptr, key.get());
}

absl::StatusOr<std::string> RandomSerial(Random& random) {
  // The leading octet keeps the number positive and every serial equally long.
  std::array<std::uint8_t, 17> octets{};
  DT_RETURN_IF_ERROR(random.Fill(octets));
  octets[0] = 0x01;
  return fmt::format("{:02x}", fmt::join(octets, ""));
}

}  // namespace devicetrust::pki
