// LDAP in numbers (RFC 4511), and its results. Inside this folder only.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/status.h"
#include "simulator/forest/ldap/ber.h"

namespace devicetrust::simulator {

// protocolOps (RFC 4511, section 4.2 and following).
inline constexpr BerTag kBindRequest = 0x60;
inline constexpr BerTag kBindResponse = 0x61;
inline constexpr BerTag kUnbindRequest = 0x42;
inline constexpr BerTag kSearchRequest = 0x63;
inline constexpr BerTag kSearchEntry = 0x64;
inline constexpr BerTag kSearchDone = 0x65;
inline constexpr BerTag kSearchReference = 0x73;
inline constexpr BerTag kModifyRequest = 0x66;
inline constexpr BerTag kAddRequest = 0x68;
inline constexpr BerTag kDeleteRequest = 0x4a;
inline constexpr BerTag kDeleteResponse = 0x6b;
inline constexpr BerTag kModifyDnRequest = 0x6c;
inline constexpr BerTag kCompareRequest = 0x6e;
inline constexpr BerTag kCompareResponse = 0x6f;
inline constexpr BerTag kAbandonRequest = 0x50;
inline constexpr BerTag kExtendedRequest = 0x77;
inline constexpr BerTag kExtendedResponse = 0x78;
inline constexpr BerTag kControls = 0xa0;
inline constexpr BerTag kReferrals = 0xa3;
inline constexpr BerTag kResponseName = 0x8a;
inline constexpr BerTag kResponseValue = 0x8b;

// Result codes (RFC 4511, appendix A).
inline constexpr int kSuccess = 0;
inline constexpr int kOperationsError = 1;
inline constexpr int kProtocolError = 2;
inline constexpr int kSizeLimitExceeded = 4;
inline constexpr int kCompareFalse = 5;
inline constexpr int kCompareTrue = 6;
inline constexpr int kAuthMethodNotSupported = 7;
inline constexpr int kAdminLimitExceeded = 11;
inline constexpr int kUnavailableCriticalExtension = 12;
inline constexpr int kReferral = 10;
inline constexpr int kNoSuchAttribute = 16;
inline constexpr int kUndefinedAttributeType = 17;
inline constexpr int kNoSuchObject = 32;
inline constexpr int kInvalidDnSyntax = 34;
inline constexpr int kInvalidCredentials = 49;
inline constexpr int kUnwillingToPerform = 53;

inline constexpr std::string_view kWhoAmIOid = "1.3.6.1.4.1.4203.1.11.3";
inline constexpr std::string_view kPagedOid = "1.2.840.113556.1.4.319";  // RFC 2696.
inline constexpr std::string_view kShowDeletedOid = "1.2.840.113556.1.4.417";

inline constexpr std::string_view kNotBound =
    "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful "
    "bind must be completed on the connection., data 0, v4563";

inline absl::Status MalformedMessage() {
  return absl::InvalidArgumentError("malformed LDAP message");
}

// LDAPResult with its message id; leaves the response open for more fields.
inline void BeginResult(int id, BerTag response, int code, std::string_view message,
                        BerWriter& writer) {
  writer.Begin().Integer(id).Begin(response).Integer(code, kBerEnumerated).Text("").Text(message);
}

inline void AppendResult(int id, BerTag response, int code, std::string_view message,
                         std::string& out) {
  BerWriter writer;
  BeginResult(id, response, code, message, writer);
  writer.End().End().AppendTo(out);
}

}  // namespace devicetrust::simulator
