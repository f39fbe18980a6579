#pragma once

#include <string>

#include "libs/rpc/error.h"

namespace devicetrust::rpc {

// How something ended, as a metric's label: "OK", or the reason's name.
inline std::string ResultLabel(const absl::Status& status) {
  return status.ok() ? "OK" : ReasonName(status);
}

}  // namespace devicetrust::rpc
