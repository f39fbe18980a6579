// OCSP over HTTP (RFC 6960, appendix A; RFC 5019, section 5).
#pragma once

#include "ca-service/ocsp_responder.h"
#include "libs/base/clock.h"
#include "libs/base/task.h"
#include "libs/http/message.h"

namespace devicetrust::ca {

// A cache on the way may give an answer again for so long: as long as a revocation may take.
inline constexpr std::chrono::seconds kOcspCacheAge{1};

// True for kOcspPath and what lies below it, where GET has the request in base64.
bool IsOcspPath(std::string_view path);

// Answers GET, HEAD and POST with status 200 and application/ocsp-response, errors of OCSP too:
// clients look no further otherwise. Neither Accept nor the type of a body is looked at.
Task<http::Response> AnswerOcsp(OcspResponder& responder, const Clock& clock,
                                const http::Request& request);

}  // namespace devicetrust::ca
