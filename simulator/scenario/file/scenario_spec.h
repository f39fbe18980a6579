// A scenario as a value: who is there, what they do when, what goes wrong meanwhile, and what must
// come of it. No file, no network; `scenario_file.h` reads it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "devicetrust/org/v1/policy_document.pb.h"
#include "simulator/scenario/file/thresholds.h"
#include "simulator/scenario/file/yaml_tree.h"

namespace devicetrust::simulator {

struct FleetMix {
  std::size_t devices = 1000;
  double domain_joined = 80;  // Percent.
  double unmanaged = 8;       // Percent, Windows outside of the domain; the rest: phones and Macs.
  // DNS names of the domains of each forest; empty: one forest of one domain, corp.test.
  std::vector<std::vector<std::string>> forests;
  // Domains of different forests: the first lets in those of the second.
  std::vector<std::pair<std::string, std::string>> trusts;
};

// When the sessions of a phase begin.
struct ArrivalSpec {
  enum class Kind {
    kClosed,  // So many at once: the next begins when one ends.
    kRate,    // So many a second, whatever becomes of them.
    kCurve,   // A rate that changes, in straight lines between points.
  };
  struct Point {
    std::chrono::nanoseconds at{0};  // Since the start of the phase.
    double per_second = 0;
  };

  Kind kind = Kind::kClosed;
  std::size_t at_once = 0;  // Of kClosed; 0: what suits the kind of phase.
  double per_second = 0;    // Of kRate.
  std::chrono::nanoseconds ramp{0};
  bool poisson = false;      // Of an open load: at random, else evenly.
  std::vector<Point> curve;  // Of kCurve; the last rate, which is positive, stays.

  bool open() const { return kind != Kind::kClosed; }
};

struct PhaseSpec {
  enum class Kind {
    kEnroll,  // Computers get their first certificate.
    kOpen,    // People open apps, each in a browser of their own; the first asks for a password.
    kRenew,   // Computers get another certificate now.
    kWait,
  };

  FilePlace place;
  Kind kind = Kind::kEnroll;
  std::string name;               // Unique.
  std::vector<std::size_t> apps;  // Of kOpen: indices, in their order.
  bool together = false;          // Of kOpen: all at once, after the first when nobody signed in.
  double share = 100;             // Percent of those who could.
  ArrivalSpec arrivals;
  std::string proxy;  // Of kEnroll and kRenew: "http://HOST:PORT" that agents go through.
  std::chrono::nanoseconds length{0};  // Of kWait.
};

// Something that goes wrong, or that somebody does, while a phase goes on.
struct FaultSpec {
  enum class Kind {
    kStop,         // A component is gone, and comes back on the same port.
    kPause,        // It is there and does not answer.
    kSlow,         // Each answer on a link comes `by` later.
    kCut,          // Connections of a link break, and none comes through.
    kReadOnly,     // The org gives out no certificates.
    kDeviceTrust,  // Device Trust is off in the org's settings.
    kRules,        // Every app has other rules.
    kRevoke,       // Certificates are revoked.
    kDeactivate,   // People are deactivated in the org.
    kClock,        // A component's clock is wrong by `by`.
  };

  FilePlace place;
  Kind kind = Kind::kStop;
  std::string name;                                // As the file says, or "stop iwa".
  std::size_t phase = 0;                           // In which it begins.
  std::chrono::nanoseconds at{0};                  // Since that phase began; or
  std::optional<double> at_percent;                // when so many of its sessions have ended.
  std::optional<std::chrono::nanoseconds> length;  // None: it is done once, and stays done.
  std::string target;                              // A component, link or group.
  std::chrono::nanoseconds by{0};
  std::size_t count = 0;  // Of certificates; or
  double percent = 0;     // of those that there are.
  std::vector<org::v1::Rule> rules;
};

// What must come of a visit. The first that matches counts.
struct ExpectSpec {
  enum class Device { kAny, kDomainJoined, kUnmanaged, kOther, kRevoked, kDeactivated };
  enum class Outcome { kAllowed, kDenied, kFailed, kAny };

  FilePlace place;
  Device device = Device::kAny;
  std::optional<std::size_t> phase;
  std::optional<std::size_t> fault;  // While that one is in force; else of what meets none.
  Outcome outcome = Outcome::kAllowed;
};

struct ScenarioSpec {
  std::string file;  // Of errors; of one that ships its name.
  std::string title;
  std::string story;     // What a reader learns of it; may be empty.
  bool narrate = false;  // Begins with the story of the first device, and of one that is refused.
  std::uint64_t seed = 7;
  FleetMix fleet;
  std::vector<org::v1::Zone> zones;
  std::vector<org::v1::App> apps;  // With their rules, and an address that answers go to.
  std::vector<PhaseSpec> phases;
  std::vector<FaultSpec> faults;
  std::vector<ExpectSpec> expect;
  std::vector<Threshold> thresholds;
};

}  // namespace devicetrust::simulator
