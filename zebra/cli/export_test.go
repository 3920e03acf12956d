package cli

// ProtectionCommand is the command of TunnelProtection, be it on or off.
var ProtectionCommand = protectionCommand
