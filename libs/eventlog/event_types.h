// The types of events that this release writes; docs/system-log.md explains each.
#pragma once

#include <array>
#include <string_view>

namespace devicetrust::eventlog {

inline constexpr std::array<std::string_view, 47> kEventTypes = {
    "application.lifecycle.delete",
    "application.lifecycle.update",
    "application.logo.change",
    "ca.certificate.release",
    "ca.device.block",
    "ca.device.unblock",
    "ca.issuer.activate",
    "ca.issuer.add",
    "ca.issuer.install",
    "ca.issuer.request",
    "ca.issuer.retire",
    "ca.root_crl.install",
    "org.event.refuse",
    "org.hook.change",
    "org.iwa.disable",
    "org.iwa.enable",
    "org.iwa.grant",
    "org.iwa.register",
    "org.settings.change",
    "org.zones.change",
    "people.sync",
    "people.sync.approve",
    "people.sync.stop",
    "pki.cert.issue",
    "pki.cert.renew",
    "pki.cert.revoke",
    "policy.document.apply",
    "policy.evaluate_sign_on",
    "policy.rules.change",
    "policy.rules.reference_lost",
    "policy.version.rollback",
    "user.account.update_profile",
    "user.authentication.authenticate",
    "user.authentication.verify",
    "user.credential.enroll",
    "user.import",
    "user.lifecycle.activate",
    "user.lifecycle.create",
    "user.lifecycle.deactivate",
    "user.mfa.factor.activate",
    "user.mfa.factor.lock",
    "user.mfa.factor.reset_all",
    "user.mfa.recovery_codes.make",
    "user.session.clear",
    "user.session.end",
    "user.session.refuse",
    "user.session.start",
};

}  // namespace devicetrust::eventlog
