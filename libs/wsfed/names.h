// Addresses that WS-Federation, WS-Trust and their tokens are made of.
#pragma once

#include <string_view>

namespace devicetrust::wsfed {

inline constexpr std::string_view kSaml11Ns = "urn:oasis:names:tc:SAML:1.0:assertion";
inline constexpr std::string_view kFederationNs =
    "http://docs.oasis-open.org/wsfed/federation/200706";
inline constexpr std::string_view kTrust2005Ns = "http://schemas.xmlsoap.org/ws/2005/02/trust";
inline constexpr std::string_view kTrust13Ns = "http://docs.oasis-open.org/ws-sx/ws-trust/200512";
inline constexpr std::string_view kAddressingNs = "http://www.w3.org/2005/08/addressing";
inline constexpr std::string_view kPolicyNs = "http://schemas.xmlsoap.org/ws/2004/09/policy";
inline constexpr std::string_view kUtilityNs =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd";
inline constexpr std::string_view kSecurityNs =
    "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd";
inline constexpr std::string_view kSoap12Ns = "http://www.w3.org/2003/05/soap-envelope";

}  // namespace devicetrust::wsfed
