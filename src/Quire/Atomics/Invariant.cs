using System.Diagnostics.CodeAnalysis;

namespace Quire;

/// <summary>The one way in which a <c>Verify()</c> says that an equation does not hold.</summary>
internal static class Invariant
{
    /// <summary>Throws <see cref="InvalidOperationException"/> unless <paramref name="condition"/> is true.</summary>
    internal static void Holds([DoesNotReturnIf(false)] bool condition, string rule, ulong subject)
    {
        if (!condition)
        {
            throw new InvalidOperationException("Invariant broken: " + string.Format(null, rule, subject) + ".");
        }
    }
}
