#include "libs/pki/openssl.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <ctime>

#include "libs/base/encoding.h"

namespace devicetrust::pki {

absl::Status OpenSslError(absl::StatusCode code, std::string_view what) {
  char reason[256] = "no reason given";
  const char* data = nullptr;  // Borrowed from the queue.
  int flags = 0;
  if (const unsigned long error = ERR_peek_last_error_data(&data, &flags); error != 0) {
    ERR_error_string_n(error, reason, sizeof(reason));
  }
  const bool has_text = data != nullptr && (flags & ERR_TXT_STRING) != 0 && *data != '\0';
  absl::Status status(code, has_text ? fmt::format("{}: {} ({})", what, reason, data)
                                     : fmt::format("{}: {}", what, reason));
  ERR_clear_error();
  return status;
}

void ClearErrors() { ERR_clear_error(); }

Bytes BytesOf(const ASN1_STRING* text) {
  if (text == nullptr) return {};
  const unsigned char* begin = ASN1_STRING_get0_data(text);
  return {begin, begin + ASN1_STRING_length(text)};
}

std::string CommonName(const X509_NAME* name) {
  const int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (index < 0) return {};
  const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, index);  // Borrowed.
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry));
  if (size < 0) {
    ERR_clear_error();
    return {};
  }
  const BytesPtr owner(utf8);
  return {reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)};
}

Bytes NameDer(std::string_view organization, std::string_view common_name) {
  const X509NamePtr name(X509_NAME_new());
  const auto add = [&](int nid, std::string_view text) {
    return text.empty() ||
           X509_NAME_add_entry_by_NID(name.get(), nid, MBSTRING_UTF8, AsBytes(text).data(),
                                      static_cast<int>(text.size()), -1, 0) == 1;
  };
  const bool added = name != nullptr && add(NID_organizationName, organization) &&
                     add(NID_commonName, common_name);
  return added ? ToDer(name.get(), &i2d_X509_NAME) : Bytes();
}

absl::Status CheckKey(EVP_PKEY* key) {
  if (EVP_PKEY_is_a(key, "EC")) {
    std::array<char, 64> group{};
    int explicit_curve = 0;
    EVP_PKEY_get_int_param(key, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS, &explicit_curve);
    const bool named = EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1;
    const std::string_view name(group.data());
    ERR_clear_error();
    if (named && explicit_curve == 0 && (name == SN_X9_62_prime256v1 || name == SN_secp384r1)) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError("EC key must be on the named curve P-256 or P-384");
  }
  if (EVP_PKEY_is_a(key, "RSA")) {
    BIGNUM* raw_exponent = nullptr;
    EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw_exponent);
    const BignumPtr exponent(raw_exponent);
    const int bits = EVP_PKEY_get_bits(key);
    const bool exponent_ok = exponent != nullptr && BN_is_odd(exponent.get()) &&
                             BN_num_bits(exponent.get()) >= 17 && BN_num_bits(exponent.get()) <= 64;
    if (bits >= 2048 && bits <= 4096 && exponent_ok) return absl::OkStatus();
    return absl::InvalidArgumentError(
        "RSA key must have 2048 to 4096 bits and an odd exponent of 65537 or more");
  }
  return absl::InvalidArgumentError("key must be P-256, P-384 or RSA");
}

std::string SerialHex(const ASN1_INTEGER* serial) {
  const BignumPtr number(ASN1_INTEGER_to_BN(serial, nullptr));
  if (number == nullptr || BN_is_negative(number.get()) || BN_is_zero(number.get())) return {};
  Bytes octets(static_cast<std::size_t>(BN_num_bytes(number.get())));
  BN_bn2bin(number.get(), octets.data());
  return HexEncode(octets);
}

Asn1IntegerPtr SerialFromHex(const std::string& hex) {
  if (hex.empty() || hex.size() > 40) return nullptr;
  BIGNUM* raw = nullptr;
  const int digits = BN_hex2bn(&raw, hex.c_str());
  const BignumPtr number(raw);
  if (number == nullptr || digits != static_cast<int>(hex.size()) || BN_is_negative(raw) ||
      BN_is_zero(raw) || BN_num_bits(raw) > 159) {  // 160 bits would take a 21st octet, a sign.
    return nullptr;
  }
  return Asn1IntegerPtr(BN_to_ASN1_INTEGER(number.get(), nullptr));
}

WallTime TimeFromAsn1(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) {
    ERR_clear_error();
    return WallTime();
  }
  return AtUnixSeconds(timegm(&parts));
}

}  // namespace devicetrust::pki
