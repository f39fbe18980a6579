// Shared by error.cc and status.cc alone.
#pragma once

namespace devicetrust::rpc {

inline constexpr char kErrorDetailUrl[] = "type.googleapis.com/devicetrust.reason.v1.ErrorDetail";

}  // namespace devicetrust::rpc
