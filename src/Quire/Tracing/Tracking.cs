namespace Quire;

/// <summary>The flag that hot paths test before they touch the ledger.</summary>
/// <remarks>
/// A field of its own in a class without initialisers: a class with a static constructor would put an
/// initialisation check beside every test of it. Written only by <see cref="Ledger.Start"/> and <see cref="Ledger.Stop"/>;
/// read without a fence, since a reference taken while the switch is on its way is merely untracked.
/// </remarks>
internal static class Tracking
{
    internal static bool Active;
}
