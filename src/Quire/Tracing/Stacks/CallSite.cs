namespace Quire;

/// <summary>A line of source code that took, touched or dropped a reference.</summary>
/// <param name="File">The file as the compiler named it (<c>CallerFilePath</c>), with either kind of slash; the type, for code without debug symbols that a walk along the stack found.</param>
/// <param name="Line">The line, from 1; 0 when unknown.</param>
/// <param name="Member">The method or property that holds the line.</param>
/// <remarks>
/// The counterpart of the return address in a <c>page_ref</c> trace event. A value: safe on any thread.
/// A default call site is the unknown one, and says so.
/// </remarks>
public readonly record struct CallSite(string File, int Line, string Member)
{
    /// <summary>True for the default value and for a site whose file nobody gave.</summary>
    public bool IsUnknown => string.IsNullOrEmpty(File);

    /// <summary>The file's name without its folders, then the line: <c>Parser.cs:141</c>; without the line where it is 0.</summary>
    public string Short => IsUnknown ? "unknown site" : Line == 0 ? FileName(File).ToString() : $"{FileName(File)}:{Line}";

    /// <summary>The short place and the member: <c>Parser.cs:141 KeepHeader</c>.</summary>
    public override string ToString() => string.IsNullOrEmpty(Member) ? Short : $"{Short} {Member}";

    // Not Path.GetFileName: an assembly built on Windows is read on Linux too.
    private static ReadOnlySpan<char> FileName(string file) => file.AsSpan(file.AsSpan().LastIndexOfAny('/', '\\') + 1);
}
