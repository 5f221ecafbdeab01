; The installer for Windows: `iscc /DVersion=0.1.0 assets\packaging\windows\first-token.iss` (Inno Setup 6).
; For this user alone unless they ask for all, so that no administrator is needed.
#ifndef Version
  #error Say which version: /DVersion=…
#endif

[Setup]
AppId={{6C3E7C4B-3A64-4F5C-9C5B-5D0E9E6F1A27}
AppName=First Token
AppVersion={#Version}
AppPublisher=First Token
DefaultDirName={autopf}\First Token
DefaultGroupName=First Token
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
PrivilegesRequiredOverridesAllowed=dialog
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
MinVersion=10.0.17763
ChangesAssociations=yes
LicenseFile=..\..\..\LICENSE
OutputDir=..\..\..\dist
OutputBaseFilename=First-Token-{#Version}-x64-setup
SetupIconFile=..\..\..\build\first-token\icons\first-token.ico
UninstallDisplayIcon={app}\first-token.exe
Compression=lzma2
SolidCompression=yes
WizardStyle=modern

[Files]
Source: "..\..\..\dist\first-token\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion

[Icons]
Name: "{group}\First Token"; Filename: "{app}\first-token.exe"

[Registry]
Root: HKA; Subkey: "Software\Classes\.gguf\OpenWithProgids"; ValueType: string; ValueName: "FirstToken.gguf"; ValueData: ""; Flags: uninsdeletevalue
Root: HKA; Subkey: "Software\Classes\FirstToken.gguf"; ValueType: string; ValueData: "GGUF language model"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\FirstToken.gguf\shell\open\command"; ValueType: string; ValueData: """{app}\first-token.exe"" --open ""%1"""
Root: HKA; Subkey: "Software\Classes\first-token"; ValueType: string; ValueData: "URL:First Token model"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\first-token"; ValueType: string; ValueName: "URL Protocol"; ValueData: ""
Root: HKA; Subkey: "Software\Classes\first-token\shell\open\command"; ValueType: string; ValueData: """{app}\first-token.exe"" --open ""%1"""

[Run]
Filename: "{app}\first-token.exe"; Description: "Start First Token"; Flags: nowait postinstall skipifsilent
