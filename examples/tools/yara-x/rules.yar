// Forms that loaders and droppers have; two of them make a script suspicious.
rule decodes_and_runs
{
    strings:
        $decode = /FromBase64String|b64decode|-EncodedCommand/ nocase
        $run = /\b(IEX|Invoke-Expression|exec|eval)\b/ nocase
    condition:
        $decode and $run
}

rule fetches_and_runs
{
    strings:
        $fetch = /DownloadString|curl\s+-s/ nocase
        $run = /\b(IEX|Invoke-Expression)\b|-EncodedCommand|\|\s*sh\b/ nocase
    condition:
        $fetch and $run
}

rule macro_starts_a_program
{
    strings:
        $open = /\b(AutoOpen|Document_Open|Workbook_Open)\b/
        $shell = /WScript\.Shell|vbHide/
    condition:
        $open and $shell
}

rule hidden_shell
{
    strings:
        $object = "ActiveXObject('WScript.Shell')"
    condition:
        $object
}
