// What an app asks for in a browser's URL or form (WS-Federation 1.2, section 13), and whether it
// may.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "devicetrust/org/v1/apps.pb.h"
#include "libs/base/status.h"
#include "libs/http/form.h"

namespace devicetrust::wsfed {

// wctx goes back as it came; relying parties put a page's address or a whole state in it.
inline constexpr std::size_t kContextBytesMax = 4096;

enum class Action {
  kSignIn,          // wsignin1.0
  kSignOut,         // wsignout1.0
  kSignOutCleanup,  // wsignoutcleanup1.0
};

// `wa`. WSFED_REQUEST_MALFORMED: missing, twice, or another action.
absl::StatusOr<Action> ActionOf(const http::Parameters& parameters);

// `wtrealm`; empty when it is absent. WSFED_REQUEST_MALFORMED: twice.
absl::StatusOr<std::string> RealmOf(const http::Parameters& parameters);

// `wctx`. WSFED_REQUEST_MALFORMED: twice, too long, or no UTF-8.
absl::StatusOr<std::string> ContextOf(const http::Parameters& parameters);

// How the app wants the person to have been authenticated (wauth).
enum class Authentication {
  kAny,
  kMultiFactor,  // With a second factor.
};

struct SignInRequest {
  std::string reply_url;  // Of the registered ones: the token goes nowhere else.
  std::string context;    // wctx, unchanged.
  org::v1::WsFedRelyingParty::TokenType token_type =
      org::v1::WsFedRelyingParty::TOKEN_TYPE_SAML_1_1;
  Authentication authentication = Authentication::kAny;
  // wfresh: the password must have been given within so many minutes; 0: for this request.
  std::optional<std::chrono::minutes> fresh_within;
};

// Checks the parameters of a sign-in against what is registered for the app. wct, whr, wp and wres
// say nothing that would change the answer, and are passed over.
//
// Errors, for which there must be no answer to any URL of the request:
//   WSFED_REQUEST_MALFORMED            a parameter that is malformed, or came twice; wreqptr, which
//                                      would have us fetch an address of a stranger's choice.
//   WSFED_UNKNOWN_REALM                wtrealm is not the app's realm.
//   WSFED_REPLY_NOT_REGISTERED         wreply is not one of its reply URLs, octet for octet.
//   WSFED_AUTHENTICATION_NOT_POSSIBLE  wauth asks for what the org can't do.
absl::StatusOr<SignInRequest> CheckSignIn(const http::Parameters& parameters,
                                          const org::v1::WsFedRelyingParty& party);

bool IsRegisteredReply(const org::v1::WsFedRelyingParty& party, std::string_view url);

// The kind of token that an address means, as TokenType elements name it. kInvalidArgument: one
// that is not given.
absl::StatusOr<org::v1::WsFedRelyingParty::TokenType> TokenTypeOf(std::string_view uri);

}  // namespace devicetrust::wsfed
