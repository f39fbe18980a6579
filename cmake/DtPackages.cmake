# Debian packages of what is installed on computers and servers of a domain: `cpack` in the build
# folder makes dt-agent_VERSION_ARCH.deb and dt-iwa_VERSION_ARCH.deb.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "device-trust")
set(CPACK_PACKAGE_CONTACT "device-trust maintainers <device-trust@localhost>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL dt-agent dt-iwa)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_DT-AGENT_PACKAGE_NAME dt-agent)
set(CPACK_DEBIAN_DT-AGENT_DESCRIPTION "Enrolls the computer's user with Device Trust
 A certificate for sign-ins, from a Kerberos logon of computer and user.")
set(CPACK_DEBIAN_DT-AGENT_PACKAGE_DEPENDS ca-certificates)
set(CPACK_DEBIAN_DT-AGENT_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/cmake/packages/dt-agent/prerm)
set(CPACK_DEBIAN_DT-AGENT_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_DT-IWA_PACKAGE_NAME dt-iwa)
set(CPACK_DEBIAN_DT-IWA_DESCRIPTION "Turns Kerberos proofs into Device Trust tokens
 The IWA: runs inside the domain, for computers that enroll.")
include(CPack)
