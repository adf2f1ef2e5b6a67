using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Quire;

/// <summary>Finds the call site of an entry whose signature is not Quire's own (<see cref="IDisposable.Dispose"/>, <c>MemoryPool.Rent</c>), by a walk along the stack.</summary>
/// <remarks>
/// <para>
/// The site is that of the first method that belongs to the user: neither to Quire nor to the framework (<c>System</c>, <c>System.*</c>, <c>Microsoft.*</c>), since a stream that rents
/// says nothing of who asked for the stream. Where the framework acts by itself the first method outside <c>System</c> stands for it, and at the last the first outside Quire.
/// </para>
/// <para>
/// The walk itself is <see cref="StackCapture"/>'s, some 100 ns for a stack that was seen before; each stack is taken apart once. Where stacks can't be captured (see <see cref="StackSupport"/>),
/// each call pays for the runtime's own walk, tens of microseconds. Asked only while the ledger is on. Never throws.
/// </para>
/// </remarks>
internal static class Caller
{
    [ThreadStatic]
    private static bool t_busy;

    private static readonly Lock s_gate = new();
    private static Known?[] s_known = new Known?[256];

    private sealed record Known(CallSite Site);

    /// <summary>The call site; the unknown one where there is none, or no room for another stack.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static CallSite Find()
    {
        uint stack = StackCapture.Take(0);
        Known?[] known = Volatile.Read(ref s_known);
        if (stack != 0 && stack < (uint)known.Length && known[stack] is { } site)
        {
            return site.Site;
        }

        return stack == 0 && StackCapture.IsAvailable ? default : Resolve(stack);
    }

    private static CallSite Resolve(uint stack)
    {
        // A resolver that the application registered may rent, and would come here again for itself.
        if (t_busy)
        {
            return default;
        }

        CallSite site;
        t_busy = true;
        try
        {
            site = Choose(new StackTrace(fNeedFileInfo: true).GetFrames());
        }
#pragma warning disable CA1031 // A stack that can't be read must not break what it was to be a note about.
        catch (Exception)
#pragma warning restore CA1031
        {
            return default;
        }
        finally
        {
            t_busy = false;
        }

        if (stack != 0)
        {
            Remember(stack, site);
        }

        return site;
    }

    private static void Remember(uint stack, CallSite site)
    {
        lock (s_gate)
        {
            Known?[] known = s_known;
            if (stack >= (uint)known.Length)
            {
                Array.Resize(ref known, (int)Math.Max(stack + 1, (uint)known.Length * 2));
            }

            // Happens before: an entry is whole before the store of its reference, and it stands in the table before the table is seen.
            known[stack] = new Known(site);
            Volatile.Write(ref s_known, known);
        }
    }

    /// <summary>The best frame, as a call site.</summary>
    internal static CallSite Choose(ReadOnlySpan<StackFrame> frames)
    {
        StackFrame? best = null;
        int rank = 0;
        foreach (StackFrame frame in frames)
        {
            int mine = RankOf(MethodOf(frame)?.Module.Assembly.GetName().Name);
            if (mine > rank)
            {
                (best, rank) = (frame, mine);
            }
        }

        return best is null ? default : SiteOf(best, MethodOf(best)!);
    }

    /// <summary>What an assembly's frame is worth: 3 the user's, 2 the framework's above the base library, 1 the base library's, 0 Quire's own and what has no name.</summary>
    internal static int RankOf(string? assembly) =>
        assembly is null or "Quire" or "Quire.AspNetCore" ? 0
        : assembly is "System" or "mscorlib" or "netstandard" || assembly.StartsWith("System.", StringComparison.Ordinal) ? 1
        : assembly.StartsWith("Microsoft.", StringComparison.Ordinal) ? 2
        : 3;

    /// <summary>As the compiler would have written it down; without a file, the type stands for it. The strings are interned: the table of call sites compares references.</summary>
    private static CallSite SiteOf(StackFrame frame, MethodBase method)
    {
        string text = FrameText.Of(frame, method);
        string name = text.IndexOf('(') is int bracket and >= 0 ? text[..bracket] : text;
        int dot = name.LastIndexOf('.');
        int line = frame.GetFileLineNumber();
        return frame.GetFileName() is { Length: > 0 } file && line > 0
            ? new CallSite(string.Intern(file), line, string.Intern(name[(dot + 1)..]))
            : new CallSite(string.Intern(dot > 0 ? name[..dot] : name), 0, string.Intern(name[(dot + 1)..]));
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = "A method without metadata is nobody's: another frame is chosen.")]
    private static MethodBase? MethodOf(StackFrame frame) => frame.GetMethod();
}
