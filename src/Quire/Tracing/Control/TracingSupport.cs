using System.Diagnostics.CodeAnalysis;

namespace Quire;

/// <summary>The feature switch <c>Quire.Tracing.IsSupported</c>: an application that sets it to false compiles all tracing away.</summary>
/// <remarks>
/// Looked up once: an AppContext switch read each time costs 29 ns. In a static readonly field the compiler of the second tier takes it for a
/// constant, and a trimmer that is told of the switch removes the code behind it. What stays without tracing are the records of pins, whose holders a
/// contiguous allocation must be able to name.
/// </remarks>
internal static class TracingSupport
{
    private static readonly bool s_isSupported = !AppContext.TryGetSwitch(SwitchName, out bool isEnabled) || isEnabled;

    internal const string SwitchName = "Quire.Tracing.IsSupported";

    /// <summary>False where the application was built or started without tracing.</summary>
    [FeatureSwitchDefinition(SwitchName)]
    internal static bool IsSupported => s_isSupported;

    /// <exception cref="NotSupportedException">Tracing is switched away.</exception>
    internal static void ThrowIfNot()
    {
        if (!IsSupported)
        {
            throw new NotSupportedException($"Nothing can be recorded: tracing is switched away in this application ({SwitchName} is false).");
        }
    }
}
